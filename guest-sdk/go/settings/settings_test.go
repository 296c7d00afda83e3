package settings

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
)

func TestSettings(t *testing.T) {
	s := Parse([]byte(` { "ext" : ["a", "b\u00e9\ud83d\ude00"] , "n":-12,"on":true,"off":false,"text":"x\n\"\/" } `))
	if got := s.Strings("ext"); !slices.Equal(got, []string{"a", "bé😀"}) {
		t.Errorf("list %q", got)
	}
	if s.Int("n", 0) != -12 || !s.Bool("on", false) || s.Bool("off", true) || s.String("text", "") != "x\n\"/" {
		t.Errorf("values %+v", s.values)
	}
	if s.Int("none", 7) != 7 || s.String("none2", "d") != "d" || len(s.Strings("none3", "p", "q")) != 2 {
		t.Error("defaults")
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
	empty := Parse(nil)
	if empty.Bool("x", true) != true || empty.Err() != nil {
		t.Error(empty.Err())
	}
}

func TestFaults(t *testing.T) {
	for in, says := range map[string]string{
		`[]`:                  "want '{'",
		`{`:                   "want",
		`{} x`:                "text after",
		`{"a":1,}`:            "want '\"'",
		`{"a":1,"a":2}`:       "twice",
		`{"a":1.5}`:           "whole number",
		`{"a":1e3}`:           "whole number",
		`{"a":01}`:            "whole number",
		`{"a":-}`:             "whole number",
		`{"a":{"b":1,"b":2}}`: "twice",
		`{"a":[{},"x"]}`:      "want '{'",
		`{"a":["x",{}]}`:      "want '\"'",
		`{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}`: "too many objects",
		`{"a":[[]]}`:       "want '\"'",
		`{"a":null}`:       "want a string",
		`{"a":[1]}`:        "want '\"'",
		`{"a":"`:           "without an end",
		`{"a":"\`:          "without an end",
		`{"a":"\x"}`:       "escape",
		`{"a":"\ud800"}`:   "surrogate",
		`{"a":"\u12"}`:     "hex digits",
		"{\"a\":\"\n\"}":   "control character",
		"{\"a\":\"\xff\"}": "UTF-8",
		`{"a":tru}`:        "want true",
		`{"extra":1}`:      `unknown setting "extra"`,
	} {
		if err := Parse([]byte(in)).Err(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", in, err, says)
		}
	}
	for in, says := range map[string]string{
		`{"o":1}`:                    `setting "o" is not an object`,
		`{"l":{}}`:                   `setting "l" is not a list of objects`,
		`{"l":["x"]}`:                `setting "l" is not a list of objects`,
		`{"o":{"x":1}}`:              `unknown setting "o.x"`,
		`{"o":{"o":{"n":"1"}}}`:      `setting "o.o.n" is not a whole number`,
		`{"l":[{"n":1},{"m":1}]}`:    `unknown setting "l[1].m"`,
		`{"l":[{"o":{"n":true}}]}`:   `setting "l[0].o.n" is not a whole number`,
		`{"o":{"o":{"x":1}},"y":{}}`: `unknown setting "o.o.x"`,
	} {
		s := Parse([]byte(in))
		s.Object("o").Object("o").Int("n", 0)
		for _, o := range s.Objects("l") {
			o.Int("n", 0)
			o.Object("o").Int("n", 0)
		}
		if err := s.Err(); err == nil || err.Error() != says {
			t.Errorf("%q: got %v, want %q", in, err, says)
		}
	}
	s := Parse([]byte(`{"n":"12"}`))
	s.Int("n", 0)
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "not a whole number") {
		t.Errorf("got %v", err)
	}
}

func TestObjects(t *testing.T) {
	s := Parse([]byte(`{"o":{"b":{"n":1},"a":{}},"l":[{"n":2},{}],"e":[],"f":[]}`))
	o := s.Object("o")
	if got := o.Keys(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("keys %q", got)
	}
	sum := o.Object("b").Int("n", 0) + o.Object("a").Int("n", 10)
	for _, i := range s.Objects("l") {
		sum += i.Int("n", 100)
	}
	if sum != 113 || len(s.Objects("e")) != 0 || len(s.Strings("f", "x")) != 0 || s.Objects("none") != nil || s.Object("none").Int("n", 7) != 7 {
		t.Errorf("sum %d", sum)
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
	none := Parse(nil)
	if none.Object("o").Object("p").String("q", "r") != "r" || none.Err() != nil || len(none.Keys()) != 0 {
		t.Error("nothing")
	}
}

// MarshalJSON makes the fuzz target see what was read.
func (s *Settings) MarshalJSON() ([]byte, error) { return json.Marshal(s.values) }

// MarshalJSON is an empty list.
func (empty) MarshalJSON() ([]byte, error) { return []byte("[]"), nil }

// FuzzParse compares with encoding/json: what is accepted means the same there.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":["x","\u00e9"],"b":-1,"c":true,"d":"\ud83d\ude00"}`))
	f.Add([]byte(`{"a":[],"b":0}`))
	f.Add([]byte(`{"a":[{"b":{}},{"c":[]}],"b":{"c":{"d":["e"]}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Parse(b)
		if s.err != nil || len(b) == 0 {
			return
		}
		var want map[string]any
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", b, err)
		}
		ours, err := json.Marshal(s.values)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		d = json.NewDecoder(strings.NewReader(string(ours)))
		d.UseNumber()
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		// -0 is 0 here and a number of its own there.
		a, _ := json.Marshal(want)
		c, _ := json.Marshal(got)
		if strings.ReplaceAll(string(a), "-0", "0") != strings.ReplaceAll(string(c), "-0", "0") {
			t.Errorf("%q: got %s, want %s", b, c, a)
		}
	})
}

// limits takes two settings.
type limits struct{ n, rest int64 }

func (l *limits) Configure(s *Settings) {
	l.rest = s.Object("more").Int("rest", 7)
	if l.n = s.Int("n", 5); l.n < 1 {
		s.Refuse("n", "must be at least 1")
	}
	if s.Object("more").Int("rest", 7) == 13 {
		s.Object("more").Refuse("rest", "is unlucky")
	}
}

func TestRead(t *testing.T) {
	var l limits
	if err := Read([]byte(`{"n": 3}`), &l); err != nil || l != (limits{3, 7}) {
		t.Errorf("%+v, %v", l, err)
	}
	for in, says := range map[string]string{
		`{"n": 0}`:                          `setting "n" must be at least 1`,
		`{"n": "x"}`:                        `setting "n" is not a whole number`,
		`{"m": 1}`:                          `unknown setting "m"`,
		`{"more": {"rest": 13}}`:            `setting "more.rest" is unlucky`,
		`{"n": 0, "more": {"rest": false}}`: `setting "n" must be at least 1`,
		`[`:                                 "",
	} {
		if err := Read([]byte(in), new(limits)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

func TestInto(t *testing.T) {
	g := guest.The
	defer func() { guest.The = g }()
	guest.The = guest.Guest{}
	l := Into(&limits{})
	if err := guest.The.Settings([]byte(`{"n": 9}`)); err != nil || l.n != 9 {
		t.Errorf("%+v, %v", l, err)
	}
	if err := guest.The.Settings(nil); err != nil || l.n != 5 {
		t.Errorf("%+v, %v", l, err)
	}
}
