package pi

import "testing"

func TestCutSpan(t *testing.T) {
	for _, c := range []struct {
		in, name string
		r        span
		fails    bool
	}{
		{"a", "a", span{}, false},
		{"a 5", "a", span{5, 0}, false},
		{"a 5 9", "a", span{5, 9}, false},
		{"a b 5 9", "a b", span{5, 9}, false},
		{"a 1 5 9", "a 1", span{5, 9}, false},
		{`"a 1" 5 9`, "a 1", span{5, 9}, false},
		{`"a ""q"" 1"`, `a "q" 1`, span{}, false},
		{"a -5", "a -5", span{}, false},
		{"a 9 5", "a", span{}, true},
		{"a 5 5", "a", span{}, true},
		{"5", "5", span{}, false},
		{`"`, `"`, span{}, false},
		{`""`, `""`, span{}, false},
		{"a 99999999999999999999", "a 99999999999999999999", span{}, false},
	} {
		name, r, err := cutSpan(c.in)
		if (err != nil) != c.fails || !c.fails && (name != c.name || r != c.r) {
			t.Errorf("%q: %q, %v, %v", c.in, name, r, err)
		}
	}
}

func FuzzCutSpan(f *testing.F) {
	for _, s := range []string{"a", "a 1", "a 1 2", `"a b" 1 2`, `""`, "  ", "1 2 3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, r, err := cutSpan(text)
		if err == nil && (r.from < 0 || r.to < 0 || r.to > 0 && r.to <= r.from) {
			t.Fatalf("%q: %v", text, r)
		}
	})
}

func TestSpanWithin(t *testing.T) {
	for _, c := range []struct {
		r     span
		size  int64
		want  span
		fails bool
	}{
		{span{}, 10, span{0, 10}, false},
		{span{}, 0, span{0, 0}, false},
		{span{2, 5}, 10, span{2, 5}, false},
		{span{2, 50}, 10, span{2, 10}, false},
		{span{10, 0}, 10, span{10, 10}, false},
		{span{11, 0}, 10, span{}, true},
	} {
		got, err := c.r.within(c.size)
		if (err != nil) != c.fails || !c.fails && got != c.want {
			t.Errorf("%v of %d: %v, %v", c.r, c.size, got, err)
		}
	}
}

func FuzzHostName(f *testing.F) {
	for _, s := range []string{"a.example", "[::1]", "192.0.2.1", "-a", "a..b", "[", "]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if hostName(name) && len(name) > 253 {
			t.Fatalf("%d bytes pass for a host name", len(name))
		}
	})
}
