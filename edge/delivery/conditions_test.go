package delivery

import (
	"net/http"
	"testing"
	"time"
)

const (
	before = "Sun, 01 Mar 2026 11:59:59 GMT"
	then   = "Sun, 01 Mar 2026 12:00:00 GMT"
	after  = "Sun, 01 Mar 2026 12:00:01 GMT"
)

// headers makes a header of pairs of names and values.
func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestConditions(t *testing.T) {
	at, _ := http.ParseTime(then)
	strong := validators{tag: `"a"`, date: at, strong: true}
	weak := validators{tag: `W/"a"`, date: at}
	none := validators{}
	for _, c := range []struct {
		v    validators
		want verdict
		h    http.Header
	}{
		{strong, proceed, nil},

		// If-Match compares strongly (RFC 9110 §13.1.1).
		{strong, proceed, headers("If-Match", `"a"`)},
		{strong, proceed, headers("If-Match", `*`)},
		{strong, proceed, headers("If-Match", `"x", "a"`)},
		{strong, proceed, headers("If-Match", `"x"`, "If-Match", `"a"`)},
		{strong, proceed, headers("If-Match", `"x,\", "a"`)},
		{strong, failed, headers("If-Match", `"x"`)},
		{strong, failed, headers("If-Match", `W/"a"`)},
		{weak, failed, headers("If-Match", `W/"a"`)},
		{weak, failed, headers("If-Match", `"a"`)},
		{strong, failed, headers("If-Match", `a`)},
		{strong, failed, headers("If-Match", ``)},
		{strong, failed, headers("If-Match", `"x" "a"`)},
		{strong, failed, headers("If-Match", `"x", a, "a"`)},
		{none, failed, headers("If-Match", `"a"`)},
		{none, proceed, headers("If-Match", `*`)},

		// If-Unmodified-Since, where there is no If-Match (§13.1.4).
		{strong, proceed, headers("If-Unmodified-Since", then)},
		{strong, proceed, headers("If-Unmodified-Since", after)},
		{strong, failed, headers("If-Unmodified-Since", before)},
		{strong, proceed, headers("If-Unmodified-Since", "yesterday")},
		{none, proceed, headers("If-Unmodified-Since", before)},
		{strong, proceed, headers("If-Match", `"a"`, "If-Unmodified-Since", before)},

		// If-None-Match compares weakly (§13.1.2).
		{strong, notModified, headers("If-None-Match", `"a"`)},
		{strong, notModified, headers("If-None-Match", `W/"a"`)},
		{weak, notModified, headers("If-None-Match", `"a"`)},
		{strong, notModified, headers("If-None-Match", `*`)},
		{strong, notModified, headers("If-None-Match", ` "x" ,W/"y",, "a"`)},
		{strong, proceed, headers("If-None-Match", `"x"`)},
		{strong, proceed, headers("If-None-Match", `"A"`)},
		{strong, proceed, headers("If-None-Match", `"a`)},
		{none, proceed, headers("If-None-Match", `"a"`)},
		{none, proceed, headers("If-None-Match", `""`)},

		// If-Modified-Since, where there is no If-None-Match (§13.1.3).
		{strong, notModified, headers("If-Modified-Since", then)},
		{strong, notModified, headers("If-Modified-Since", after)},
		{strong, notModified, headers("If-Modified-Since", "Sunday, 01-Mar-26 12:00:00 GMT")}, // RFC 850
		{strong, notModified, headers("If-Modified-Since", "Sun Mar  1 12:00:00 2026")},       // asctime
		{strong, proceed, headers("If-Modified-Since", before)},
		{strong, proceed, headers("If-Modified-Since", "1772366400")},
		{strong, proceed, headers("If-Modified-Since", then, "If-Modified-Since", then)},
		{none, proceed, headers("If-Modified-Since", after)},
		{strong, proceed, headers("If-None-Match", `"x"`, "If-Modified-Since", after)},
		{strong, notModified, headers("If-None-Match", `"a"`, "If-Modified-Since", before)},

		// The order (§13.2.2).
		{strong, failed, headers("If-Match", `"x"`, "If-None-Match", `"a"`)},
		{strong, notModified, headers("If-Match", `"a"`, "If-None-Match", `"a"`)},
		{strong, failed, headers("If-Unmodified-Since", before, "If-None-Match", `"a"`)},
		{strong, notModified, headers("If-Unmodified-Since", after, "If-Modified-Since", after)},
	} {
		if got := judge(c.h, c.v); got != c.want {
			t.Errorf("%v of %+v: %d, want %d", c.h, c.v, got, c.want)
		}
	}
}

func TestIfRange(t *testing.T) {
	at, _ := http.ParseTime(then)
	strong := validators{tag: `"a"`, date: at, strong: true}
	weak := validators{tag: `W/"a"`, date: at}
	for _, c := range []struct {
		v     validators
		value string
		want  bool
	}{
		{strong, `"a"`, true},
		{strong, `"x"`, false},
		{strong, `W/"a"`, false},
		{weak, `W/"a"`, false},
		{weak, `"a"`, false},
		{strong, `"a", "b"`, false}, // one tag, no list
		{strong, `*`, false},
		{strong, then, true},
		{strong, after, false}, // exactly (RFC 9110 §13.1.5)
		{strong, before, false},
		{weak, then, false},
		{validators{}, then, false},
		{strong, "", false},
	} {
		if got := inRange(headers("If-Range", c.value), c.v); got != c.want {
			t.Errorf("If-Range %q of %+v: %v", c.value, c.v, got)
		}
	}
	if !inRange(nil, strong) {
		t.Error("a Range without If-Range is not looked at")
	}
}

func TestValidators(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := file{Size: 3, ModTime: now.Add(-time.Hour), ID: "1"}
	v := f.validators(now)
	if v.tag == "" || v.tag[0] != '"' || !v.strong || v.date != f.ModTime {
		t.Errorf("%+v", v)
	}
	for what, other := range map[string]file{
		"another file":       {Size: 3, ModTime: f.ModTime, ID: "2"},
		"another size":       {Size: 4, ModTime: f.ModTime, ID: "1"},
		"another nanosecond": {Size: 3, ModTime: f.ModTime.Add(1), ID: "1"},
	} {
		if other.validators(now).tag == v.tag {
			t.Errorf("%s has the same tag", what)
		}
	}
	young := file{Size: 3, ModTime: now.Add(-2 * time.Second), ID: "1"}.validators(now)
	if young.strong || young.tag[:3] != `W/"` {
		t.Errorf("changed just now: %+v", young)
	}
	if next := (file{Size: 3, ModTime: now.Add(time.Hour), ID: "1"}).validators(now); next.date.After(now) || next.strong {
		t.Errorf("changed in the future: %+v", next)
	}
	for _, f := range []file{{Size: 3, ModTime: f.ModTime, Filtered: true}, {Size: 3}} {
		if v := f.validators(now); v != (validators{}) {
			t.Errorf("%+v has validators: %+v", f, v)
		}
	}
}

func FuzzConditions(f *testing.F) {
	f.Add(`"a"`, `W/"b", "c"`, then, `"a"`)
	f.Add(`*`, `,,,`, "", before)
	f.Fuzz(func(t *testing.T, match, none, since, inRangeOf string) {
		at, _ := http.ParseTime(then)
		v := validators{tag: `"a"`, date: at, strong: true}
		switch got := judge(headers("If-Match", match, "If-None-Match", none, "If-Modified-Since", since), v); {
		case got == proceed && none == "*", got == notModified && match == `"b"`:
			t.Errorf("If-Match %q, If-None-Match %q: %d", match, none, got)
		}
		if inRange(headers("If-Range", inRangeOf), v) && inRangeOf == `W/"a"` {
			t.Error("a weak tag is good for a range")
		}
	})
}
