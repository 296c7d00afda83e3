package trust

import (
	"errors"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost/refusal"
)

// ordered is a list of versions from low to high (Semantic Versioning 2.0.0 §11).
func ordered() []string {
	return []string{"0.0.0-0", "0.0.0-1", "0.0.0--", "0.0.0", "0.0.1", "0.1.0", "v0.9.0", "0.10.0", "1.0.0-alpha", "1.0.0-alpha.1",
		"1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-beta.11.0", "1.0.0-rc.1", "1.0.0", "1.0.1", "2.0.0",
		"18446744073709551615.0.0", "18446744073709551616.0.0", "100000000000000000000000000000.0.0"}
}

func TestVersionOrder(t *testing.T) {
	for i, a := range ordered() {
		for j, b := range ordered() {
			v, ok := parseVersion(a)
			w, ok2 := parseVersion(b)
			if !ok || !ok2 {
				t.Fatalf("%q or %q is none", a, b)
			}
			if got := v.compare(w); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%q against %q: %d", a, b, got)
			}
		}
	}
	for _, bad := range []string{"", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.x", "1.2.3-", "1.2.3+", "1.2.3-a..b", "1.2.3-01",
		"1.2.3-ä", "vv1.2.3", " 1.2.3", "-1.2.3", "1.2.3+a_b", "1..3", "1.2.3-a+b+c", "1.0.0-" + strings.Repeat("a", 200)} {
		if v, ok := parseVersion(bad); ok {
			t.Errorf("%q is a version: %v", bad, v)
		}
	}
	for _, good := range []string{"1.2.3+01.a-b", "1.2.3-0a.-1+x"} {
		if _, ok := parseVersion(good); !ok {
			t.Errorf("%q is none", good)
		}
	}
}

func TestFollows(t *testing.T) {
	made := func(v, bytes string) Accepted { return Accepted{Digest: Sum([]byte(bytes)), Version: v} }
	for name, c := range map[string]struct {
		last, next Accepted
		allow      bool
		refused    bool
	}{
		"the first":              {next: made("0.1.0", "a")},
		"newer":                  {last: made("1.9.0", "a"), next: made("1.10.0", "b")},
		"the same version":       {last: made("1.2.3", "a"), next: made("1.2.3+build2", "b")},
		"the same module":        {last: made("1.2.3", "a"), next: made("1.0.0", "a")},
		"older":                  {last: made("1.10.0", "a"), next: made("1.9.0", "b"), refused: true},
		"older, allowed":         {last: made("1.10.0", "a"), next: made("1.9.0", "b"), allow: true},
		"a candidate of the old": {last: made("1.0.0", "a"), next: made("1.0.0-rc.1", "b"), refused: true},
		"silent":                 {last: made("1.0.0", "a"), next: made("", "b"), refused: true},
		"another scheme":         {last: made("1.0.0", "a"), next: made("nightly", "b"), refused: true},
		"after the silent":       {last: made("", "a"), next: made("0.0.1", "b")},
		"after another scheme":   {last: made("2026-01", "a"), next: made("", "b")},
	} {
		err := (&Rules{AllowDowngrade: c.allow}).Follows("edge", c.last, c.next)
		var e *refusal.Error
		if (err != nil) != c.refused || err != nil && (!errors.As(err, &e) || e.Code != CodeDowngrade || e.Found == "" || e.Help == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVersion(f *testing.F) {
	for _, v := range ordered() {
		f.Add(v, "1.0.0-rc.1+x", "1.2.3")
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		v, ok := parseVersion(a)
		w, ok2 := parseVersion(b)
		x, ok3 := parseVersion(c)
		if !ok || !ok2 || !ok3 {
			return
		}
		if v.compare(v) != 0 {
			t.Errorf("%q is not itself", a)
		}
		if v.compare(w) != -w.compare(v) {
			t.Errorf("%q and %q: no order", a, b)
		}
		if v.compare(w) <= 0 && w.compare(x) <= 0 && v.compare(x) > 0 {
			t.Errorf("%q, %q, %q: a ring", a, b, c)
		}
	})
}
