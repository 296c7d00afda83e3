package policy

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/quick"
)

func TestPerms(t *testing.T) {
	for _, c := range []struct {
		in, out string
		fails   bool
	}{
		{"", "", false},
		{"e", "e", false},
		{"elradfmwMT", "elradfmwMT", false},
		{"TMwmfdarle", "elradfmwMT", false},
		{"m", "m", false},
		{"M", "M", false},
		{"ee", "", true},
		{"elre", "", true},
		{"x", "", true},
		{"E", "", true},
		{"e l", "", true},
		{"é", "", true},
		{"\xff", "", true},
		{"\x00", "", true},
	} {
		p, err := ParsePerms(c.in)
		if (err != nil) != c.fails || p.String() != c.out {
			t.Errorf("%q: %q, %v", c.in, p, err)
		}
	}
	if PermAll.String() != permLetters || PermReadOnly.String() != "elr" {
		t.Errorf("all is %q, read-only %q", PermAll, PermReadOnly)
	}
}

// TestPermLetters pins each constant to its letter.
func TestPermLetters(t *testing.T) {
	for p, letter := range map[Perms]string{PermCwd: "e", PermList: "l", PermRead: "r", PermAppend: "a", PermDelete: "d",
		PermRename: "f", PermMkdir: "m", PermWrite: "w", PermChmod: "M", PermTime: "T"} {
		if p.String() != letter {
			t.Errorf("%d is written %q, want %q", p, p, letter)
		}
		if !PermAll.Has(p) || !p.Has(p) || !p.Has(0) || (Perms(0)).Has(p) || (PermAll &^ p).Has(p) {
			t.Errorf("Has is wrong about %q", letter)
		}
	}
	if PermReadOnly.Has(PermRead | PermWrite) {
		t.Error("Has is content with a part")
	}
}

func FuzzParsePerms(f *testing.F) {
	for _, s := range []string{"", "elradfmwMT", "ee", "x", "e\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePerms(s)
		if err != nil {
			if p != 0 {
				t.Fatalf("%q fails and permits %q", s, p)
			}
			return
		}
		again, err := ParsePerms(p.String())
		if err != nil || again != p || len(p.String()) != len(s) || !PermAll.Has(p) {
			t.Fatalf("%q is %q, which is %q, %v", s, p, again, err)
		}
	})
}

// constants returns the names of a file's constants of one type, in order: the
// first of each block names the type, the others follow it.
func constants(t *testing.T, file, typ string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range f.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		first := gen.Specs[0].(*ast.ValueSpec)
		if id, ok := first.Type.(*ast.Ident); !ok || id.Name != typ {
			continue
		}
		for _, s := range gen.Specs {
			for _, n := range s.(*ast.ValueSpec).Names {
				names = append(names, n.Name)
			}
		}
	}
	return names
}

// TestNames holds that every constant has a name of its own, that the names are
// words, and that what lies beyond the constants has none.
func TestNames(t *testing.T) {
	word := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	for _, c := range []struct {
		file, typ string
		from      int
		name      func(int) string
	}{
		{"action.go", "Op", 1, func(i int) string { return Op(i).String() }},
		{"event.go", "EventKind", 1, func(i int) string { return EventKind(i).String() }},
		{"verdict.go", "Verdict", 0, func(i int) string { return Verdict(i).String() }},
	} {
		all := constants(t, c.file, c.typ)
		if len(all) < 5 {
			t.Fatalf("%s: only %q were found", c.typ, all)
		}
		seen := map[string]string{}
		for i, constant := range all {
			name := c.name(c.from + i)
			if !word.MatchString(name) || name == "invalid" {
				t.Errorf("%s is called %q", constant, name)
			}
			if other := seen[name]; other != "" {
				t.Errorf("%s and %s are both called %q", other, constant, name)
			}
			seen[name] = constant
		}
		for _, i := range []int{c.from - 1, c.from + len(all), 255} {
			if c.name(i) != "invalid" {
				t.Errorf("%s %d is called %q", c.typ, i, c.name(i))
			}
		}
	}
	if Op(65535).String() != "invalid" || EventKind(65535).String() != "invalid" {
		t.Error("the greatest numbers have names")
	}
}

// TestEventNames holds that an event is called in the log what it is called in
// Go.
func TestEventNames(t *testing.T) {
	initials := regexp.MustCompile(`([a-z])([A-Z])`)
	for i, constant := range constants(t, "event.go", "EventKind") {
		plain := strings.NewReplacer("TLS", "Tls", "IP", "Ip").Replace(strings.TrimPrefix(constant, "Event"))
		want := strings.ToLower(initials.ReplaceAllString(plain, "${1}_$2"))
		if got := EventKind(i + 1).String(); got != want {
			t.Errorf("%s is called %q, want %q", constant, got, want)
		}
	}
}

// TestNumbers pins the numbers that guests see.
func TestNumbers(t *testing.T) {
	for got, want := range map[int]int{
		int(Pass): 0, int(Allow): 1, int(Deny): 2, int(Rewrite): 3, int(Hide): 4,
	} {
		if got != want {
			t.Errorf("verdict %d, want %d", got, want)
		}
	}
	if OpStat != 1 || OpWrite != 4 || OpRename != 9 || OpCommit != 16 || OpSymlink != 17 {
		t.Error("the operations are not numbered as the guest ABI has them")
	}
	if EventConnect != 1 || EventMaxConsPerIP != 16 || EventDenied != 17 || EventDraining != 33 || EventClientMoved != 40 {
		t.Error("the events are not numbered as the guest ABI has them")
	}
}

// TestFrom holds that an address is looked at in its own form, and that what is no network
// holds nobody.
func TestFrom(t *testing.T) {
	near := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}
	for _, c := range []struct {
		networks []netip.Prefix
		denied   []netip.Prefix
		from     string
		want     bool
	}{
		{nil, nil, "192.0.2.1", true},
		{nil, near, "10.1.2.3", false},
		{nil, near, "::ffff:10.1.2.3", false},
		{near, near[1:], "10.1.2.3", true},
		{near, near[1:], "fe80::1%eth0", false},
		{near, []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, "10.1.2.3", false},
		{near, []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, "10.2.2.3", true},
		{near, nil, "10.1.2.3", true},
		{near, nil, "::ffff:10.1.2.3", true}, // as a socket of both families has it
		{near, nil, "fe80::1%eth0", true},
		{near, nil, "192.0.2.1", false},
		{near, nil, "2001:db8::1", false},
		{[]netip.Prefix{{}}, nil, "10.1.2.3", false},
		{[]netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}, nil, "10.1.2.3", false},
	} {
		id := Identity{Networks: c.networks, DenyNetworks: c.denied}
		if got := id.From(netip.MustParseAddr(c.from)); got != c.want {
			t.Errorf("%v without %v from %s: %v", c.networks, c.denied, c.from, got)
		}
	}
	if (&Identity{Networks: near}).From(netip.Addr{}) || !new(Identity).From(netip.Addr{}) {
		t.Error("an address that nobody knows")
	}
}

func TestNarrow(t *testing.T) {
	for _, c := range []struct{ a, b, want Limits }{
		{Limits{}, Limits{}, Limits{}},
		{Limits{RateDown: 5}, Limits{}, Limits{RateDown: 5}},
		{Limits{RateDown: 5}, Limits{RateDown: 3}, Limits{RateDown: 3}},
		{Limits{RateUp: 5}, Limits{RateDown: 3}, Limits{RateUp: 5, RateDown: 3}},
		{Limits{MaxFileSize: 1}, Limits{MaxFileSize: 1 << 62}, Limits{MaxFileSize: 1}},
		{Limits{MaxFileSize: -7}, Limits{MaxFileSize: 4}, Limits{MaxFileSize: 4}},
		{Limits{DataTLS: true}, Limits{}, Limits{DataTLS: true}},
		{Limits{DataTLS: true}, Limits{DataTLS: true}, Limits{DataTLS: true}},
	} {
		if got := c.a.Narrow(c.b); got != c.want {
			t.Errorf("%+v and %+v: %+v", c.a, c.b, got)
		}
		if got := c.b.Narrow(c.a); got != c.want {
			t.Errorf("%+v and %+v: %+v", c.b, c.a, got)
		}
	}
}

// TestNarrowNarrows holds that no order, grouping or repetition of limits lets
// more through, and that every field takes part.
func TestNarrowNarrows(t *testing.T) {
	wider := func(a, b int64) bool { return b > 0 && (a <= 0 || a > b) } // a lets more through than b
	plain := func(l Limits) Limits {                                     // with one way to say that there is no limit
		return Limits{RateDown: max(l.RateDown, 0), RateUp: max(l.RateUp, 0), MaxFileSize: max(l.MaxFileSize, 0), DataTLS: l.DataTLS}
	}
	law := func(a, b, c Limits) bool {
		ab := plain(a.Narrow(b))
		if ab != plain(b.Narrow(a)) || ab != plain(ab.Narrow(a)) || plain(ab.Narrow(c)) != plain(a.Narrow(b.Narrow(c))) {
			return false
		}
		for _, l := range []Limits{a, b} {
			if wider(ab.RateDown, l.RateDown) || wider(ab.RateUp, l.RateUp) || wider(ab.MaxFileSize, l.MaxFileSize) || l.DataTLS && !ab.DataTLS {
				return false
			}
		}
		return true
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
	full := reflect.ValueOf(Limits{RateDown: 1, RateUp: 1, MaxFileSize: 1, DataTLS: true}.Narrow(Limits{}))
	for i := range full.NumField() {
		if full.Field(i).IsZero() {
			t.Errorf("%s is lost", full.Type().Field(i).Name)
		}
	}
}

func TestDenial(t *testing.T) {
	cause := errors.New("out of fuel")
	for _, c := range []struct {
		d    Denial
		want string
	}{
		{Denial{}, "no policy has granted it"},
		{Denial{Policy: "guard"}, "guard refused"},
		{Denial{Policy: "guard", Text: "No."}, "guard refused: No."},
		{Denial{Policy: "guard", Failed: true, Cause: cause}, "guard failed: out of fuel"},
		{Denial{Failed: true, Cause: cause, Text: "x"}, "no policy failed: out of fuel"},
	} {
		if got := c.d.Error(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.d, got, c.want)
		}
	}
	d := &Denial{Failed: true, Cause: cause}
	if !errors.Is(fmt.Errorf("upload: %w", d), cause) || errors.Unwrap(&Denial{}) != nil {
		t.Error("the cause is not found")
	}
}

func TestZeroValues(t *testing.T) {
	if (TLS{}).Enabled() || !(TLS{Version: "1.3"}).Enabled() {
		t.Error("protection is not known by its version")
	}
	if h := (Hooks{}); h.Authenticator != nil || h.Authorizer != nil || h.Observer != nil {
		t.Error("the zero Hooks takes part in something")
	}
	if (Answer{}).Verdict != Pass || (Identity{}).Verdict != Pass {
		t.Error("the zero value is an opinion")
	}
}
