package users_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/users"
)

// Who comes without the TLS that he must have is refused without a hash and without a word
// to the client; the operator is told why. His networks are the server's to look at.
func TestBars(t *testing.T) {
	sealed := policy.TLS{Version: "1.3"}
	shown := policy.TLS{Version: "1.3", ClientSHA256: strings.Repeat("ab", 32)}
	near := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}
	for _, c := range []struct {
		name string
		asks users.Protection
		from string
		tls  policy.TLS
		why  string // empty: he may
	}{
		{name: "anywhere", from: "192.0.2.1"},
		{name: "in the clear", asks: users.Protection{Required: true}, from: "::1", why: `the user "alice" must use TLS`},
		{name: "protected", asks: users.Protection{Required: true}, from: "::1", tls: sealed},
		{name: "1.2 in the clear", asks: users.Protection{MinVersion: "1.2"}, from: "::1", why: `the user "alice" must use TLS`},
		{name: "1.2 and 1.3", asks: users.Protection{MinVersion: "1.2"}, from: "::1", tls: sealed},
		{name: "1.3 and 1.2", asks: users.Protection{MinVersion: "1.3"}, from: "::1", tls: policy.TLS{Version: "1.2"}, why: `the user "alice" must use TLS 1.3, and came with 1.2`},
		{name: "no certificate", asks: users.Protection{Certificate: true}, from: "::1", tls: sealed, why: `the user "alice" must show a client certificate`},
		{name: "a certificate", asks: users.Protection{Certificate: true}, from: "::1", tls: shown},
	} {
		u := alice()
		u.Networks, u.TLS = near, c.asks
		p, err := users.New(users.Config{Users: []users.User{u}})
		if err != nil {
			t.Fatal(err)
		}
		s := &policy.Session{ID: 1, User: "alice", Peer: netip.AddrPortFrom(netip.MustParseAddr(c.from), 1), TLS: c.tls}
		id, err := p.Authenticate(t.Context(), &policy.Login{Meta: policy.Meta{Session: s, Request: 1, Time: noon}, Password: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if c.why == "" {
			if id.Verdict != policy.Allow || id.PasswordHash == "" || !slices.Equal(id.Networks, near) {
				t.Errorf("%s: %+v", c.name, id)
			}
		} else if diff := cmp.Diff(policy.Identity{Verdict: policy.Deny, Reason: c.why}, id); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A certificate that needs no password names the networks as well.
func TestBarsCertificate(t *testing.T) {
	u := alice()
	u.Certificates = []string{strings.Repeat("ab", 32)}
	u.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	p, err := users.New(users.Config{Users: []users.User{u}})
	if err != nil {
		t.Fatal(err)
	}
	s := &policy.Session{ID: 1, User: "alice", Peer: netip.MustParseAddrPort("192.0.2.1:1"), TLS: policy.TLS{Version: "1.3", ClientSHA256: u.Certificates[0]}}
	id, err := p.Authenticate(t.Context(), &policy.Login{Meta: policy.Meta{Session: s, Request: 1, Time: noon}, Early: true})
	if err != nil || id.Verdict != policy.Allow || !slices.Equal(id.Networks, u.Networks) {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestBarsRefused(t *testing.T) {
	for name, change := range map[string]func(*users.User){
		"no network":      func(u *users.User) { u.Networks = []netip.Prefix{{}} },
		"no denied one":   func(u *users.User) { u.DenyNetworks = []netip.Prefix{{}} },
		"mapped network":  func(u *users.User) { u.Networks = []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")} },
		"no such version": func(u *users.User) { u.TLS.MinVersion = "1.4" },
	} {
		u := alice()
		change(&u)
		if err := u.Check(); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
