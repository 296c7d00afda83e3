package pi

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// lodger knows anna by a stored hash.
type lodger struct{ hash string }

func (l lodger) Name() string        { return "lodger" }
func (l lodger) Hooks() policy.Hooks { return policy.Hooks{Authenticator: l} }

func (l lodger) Authenticate(_ context.Context, q *policy.Login) (policy.Identity, error) {
	if q.Session.User != "anna" {
		return policy.Identity{}, nil
	}
	return policy.Identity{Verdict: policy.Allow, PasswordHash: l.hash}, nil
}

// effort writes down what passwords were worked on with.
type effort struct {
	mu   sync.Mutex
	done []string
}

func (e *effort) Verify(_ context.Context, hash, password string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done = append(e.done, "a hash")
	return hash == "hash of "+password, nil
}

func (e *effort) VerifyNobody(context.Context, string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done = append(e.done, "the hash of nobody")
	return nil
}

// A user of another host is nobody here: the same 530 and the work of one hash, as for a
// name that nobody has, and a password that is wrong.
func TestHostsWork(t *testing.T) {
	c, err := chain.New(chain.Config{Clean: func(s string) (string, error) { return s, nil }},
		chain.Slot{Name: "a", Policy: lodger{"hash of pw-a"}, Options: chain.Options{Hosts: []string{"a"}}})
	if err != nil {
		t.Fatal(err)
	}
	work := &effort{}
	b := newBench(t, func(conf *Config) {
		conf.Chain.Close()
		conf.Chain, conf.Verifier, conf.Attempts = c, work, 0
		v := &Virtual{Own: conf}
		for _, name := range []string{"a", "b"} {
			host := *conf
			host.VHost, host.Virtual = name, v
			if !v.Name(name+".example", &host) {
				t.Error("a name was there already")
			}
		}
		conf.Virtual = v
	}).own()
	defer b.close()
	b.expect("the greeting", 220)
	for _, try := range []struct {
		host, user, password, work string
		code                       int
	}{
		{"a", "anna", "wrong", "a hash", 530},
		{"a", "berta", "pw-a", "the hash of nobody", 530},
		{"b", "anna", "pw-a", "the hash of nobody", 530},
		{"b", "anna", "wrong", "the hash of nobody", 530},
		{"b", "berta", "pw-a", "the hash of nobody", 530},
		{"a", "anna", "pw-a", "a hash", 230},
	} {
		b.do("HOST "+try.host+".example", 220)
		work.done = nil
		b.do("USER "+try.user, 331)
		r := b.do("PASS "+try.password, try.code)
		if try.code == 530 && r.Text() != "That name and password do not go together." {
			t.Errorf("%+v is told %q", try, r.Text())
		}
		if len(work.done) != 1 || work.done[0] != try.work {
			t.Errorf("%+v cost %q", try, work.done)
		}
	}
}

func TestVirtualFind(t *testing.T) {
	var own, exact, short, long Config
	v := &Virtual{Own: &own}
	for name, c := range map[string]*Config{"ftp.b.example": &exact, "*.example": &short, "*.b.example": &long} {
		if !v.Name(name, c) || v.Name(name, c) {
			t.Errorf("%s: taken", name)
		}
	}
	for name, want := range map[string]*Config{"ftp.b.example": &exact, "x.b.example": &long, "x.ftp.b.example": &long, "b.example": &short,
		"c.example": &short, "example": nil, "xexample": nil, "": nil, ".": nil, "b.example.": nil, "*.b.example": &long} {
		if got := v.Find(name); got != want {
			t.Errorf("%q leads elsewhere", name)
		}
	}
	if (&Virtual{}).Find("a") != nil {
		t.Error("no names, and one is found")
	}
}

func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{" FTP.Example.Org. ": "ftp.example.org", "BÜCHER.example": "xn--bcher-kva.example", "bücher。example": "xn--bcher-kva.example",
		"[2001:DB8::1]": "[2001:db8::1]", "192.0.2.1": "192.0.2.1", "a_b.example": "a_b.example", "xn--bcher-kva.EXAMPLE": "xn--bcher-kva.example",
		"faß.example": "xn--fa-hia.example"} {
		if got, err := CleanName(name); got != want || err != nil {
			t.Errorf("%q is %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a..b", "-a", "a-.b", "a b", "a\u202eb", "[192.0.2.1]", "[::1", "::1", "[fe80::1%eth0]", "\xff", "a/b", "a\\b", "*.a",
		strings.Repeat("a.", 127) + "aa", strings.Repeat("ü", 300), "ü\x00"} {
		if got, err := CleanName(name); err == nil {
			t.Errorf("%q is %q", name, got)
		}
	}
}

// What a name is made of has no second form, and cannot look like another, steer a
// terminal or stand for a path.
func FuzzCleanName(f *testing.F) {
	for _, name := range []string{"ftp.example.org", "BÜCHER.example.", "[::1]", "a..b", "*.a", "xn--bcher-kva.example", "ａ.example", "a\u00adb", "☃.net"} {
		f.Add(name)
	}
	v := &Virtual{Own: &Config{}}
	v.Name("*.example", &Config{})
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := CleanName(name)
		if err != nil {
			if clean != "" {
				t.Errorf("%q is refused, and is %q", name, clean)
			}
			return
		}
		again, err := CleanName(clean)
		if err != nil || again != clean {
			t.Errorf("%q is %q, and that is %q (%v)", name, clean, again, err)
		}
		if strings.ContainsFunc(clean, func(r rune) bool {
			return r > '~' || r <= ' ' || unicode.IsUpper(r) || strings.ContainsRune(`*/\%@"`, r)
		}) || len(clean) > 253 {
			t.Errorf("%q is %q", name, clean)
		}
		if got := v.Find(clean); (got != nil) != (strings.HasSuffix(clean, ".example")) {
			t.Errorf("%q is found: %v", clean, got != nil)
		}
		v.listed(clean, netip.Addr{})
	})
}
