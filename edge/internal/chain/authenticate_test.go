package chain_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func allowed(id policy.Identity) *fake {
	id.Verdict = policy.Allow
	return knows(id)
}

func perms(s string) *policy.Perms {
	p, err := policy.ParsePerms(s)
	if err != nil {
		panic(err)
	}
	return &p
}

func TestAuthenticateRefused(t *testing.T) {
	broken := errors.New("broken")
	boom := &fake{auth: func(*policy.Login) (policy.Identity, error) { return policy.Identity{}, broken }}
	pass := knows(policy.Identity{})
	for _, c := range []struct {
		name   string
		chain  []policy.Policy
		denial policy.Denial
	}{
		{"no policy", nil, policy.Denial{}},
		{"nobody takes part", []policy.Policy{says(policy.Answer{Verdict: policy.Allow})}, policy.Denial{}},
		{"all pass", []policy.Policy{pass, knows(policy.Identity{})}, policy.Denial{}},
		{"deny after allow", []policy.Policy{allowed(policy.Identity{}), knows(policy.Identity{Verdict: policy.Deny, Code: 530, Text: "No."})},
			policy.Denial{Policy: "b", Generation: 1, Code: 530, Text: "No."}},
		{"a refusal that would welcome", []policy.Policy{knows(policy.Identity{Verdict: policy.Deny, Code: 230})},
			policy.Denial{Policy: "a", Generation: 1}},
		{"hide is not told from deny", []policy.Policy{knows(policy.Identity{Verdict: policy.Hide, Text: "x"})},
			policy.Denial{Policy: "a", Generation: 1, Text: "x"}},
		{"an error refuses", []policy.Policy{allowed(policy.Identity{}), boom},
			policy.Denial{Policy: "b", Generation: 1, Failed: true, Cause: broken}},
		{"final comes too late for an error", []policy.Policy{boom, allowed(policy.Identity{Final: true})},
			policy.Denial{Policy: "a", Generation: 1, Failed: true, Cause: broken}},
		{"final means nothing beside pass", []policy.Policy{knows(policy.Identity{Final: true}), knows(policy.Identity{Verdict: policy.Deny})},
			policy.Denial{Policy: "b", Generation: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, c.chain...).Lease(1)
			defer l.Release()
			got, d := l.Authenticate(t.Context(), login("joe"))
			if d == nil || !reflect.DeepEqual(*d, c.denial) {
				t.Errorf("%+v, want %+v", d, c.denial)
			}
			if got.Verdict != policy.Pass || got.By != nil || got.Hashes != nil {
				t.Errorf("a refusal grants %+v", got)
			}
		})
	}
}

func TestAuthenticateFaults(t *testing.T) {
	for name, id := range map[string]policy.Identity{
		"rewrite":         {Verdict: policy.Rewrite},
		"unknown verdict": {Verdict: 77},
		"too much state":  {Verdict: policy.Allow, State: make([]byte, policy.MaxState+1)},
	} {
		l := start(t, allowed(policy.Identity{}), knows(id)).Lease(1)
		if _, d := l.Authenticate(t.Context(), login("joe")); d == nil || !d.Failed || d.Cause == nil || d.Policy != "b" {
			t.Errorf("%s: %+v", name, d)
		}
		l.Release()
	}
}

// TestAuthenticateNetworks holds that a login is refused from where one of those who allow
// does not let its user come from, and that it is that one's refusal.
func TestAuthenticateNetworks(t *testing.T) {
	nets := func(list ...string) *fake {
		var id policy.Identity
		for _, n := range list {
			id.Networks = append(id.Networks, netip.MustParsePrefix(n))
		}
		return allowed(id)
	}
	near := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	pass := knows(policy.Identity{Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	for _, c := range []struct {
		name  string
		chain []policy.Policy
		by    string // whose refusal it is, empty for none
	}{
		{"denied inside", []policy.Policy{nets(), allowed(policy.Identity{Networks: near, DenyNetworks: near})}, "b"},
		{"denied beside", []policy.Policy{allowed(policy.Identity{Networks: near, DenyNetworks: []netip.Prefix{netip.MustParsePrefix("192.0.2.8/29")}})}, ""},
		{"anywhere", []policy.Policy{nets()}, ""},
		{"inside", []policy.Policy{nets("10.0.0.0/8", "192.0.2.0/24")}, ""},
		{"outside", []policy.Policy{nets("10.0.0.0/8", "2001:db8::/32")}, "a"},
		{"inside of both", []policy.Policy{nets("192.0.0.0/16"), nets("192.0.2.0/24")}, ""},
		{"inside of one", []policy.Policy{nets("192.0.2.0/24"), nets("10.0.0.0/8")}, "b"},
		{"of one without an opinion", []policy.Policy{pass, nets("192.0.2.0/24")}, ""},
		{"of no network", []policy.Policy{allowed(policy.Identity{Networks: []netip.Prefix{{}}})}, "a"},
	} {
		l := start(t, c.chain...).Lease(1)
		q := login("joe")
		q.Session.Peer = netip.MustParseAddrPort("[::ffff:192.0.2.7]:4000")
		got, d := l.Authenticate(t.Context(), q)
		where := "none of his networks"
		if strings.HasPrefix(c.name, "denied") {
			where = "one of his denied networks"
		}
		switch {
		case c.by == "" && d != nil:
			t.Errorf("%s: %+v", c.name, d)
		case c.by != "" && (d == nil || d.Policy != c.by || d.Failed || d.Text != "" || got.By != nil ||
			d.Reason != `the user "joe" may not log in from 192.0.2.7: it is in `+where):
			t.Errorf("%s: %+v", c.name, d)
		}
		l.Release()
	}
}

func TestAuthenticateGrant(t *testing.T) {
	soon, later := time.Unix(1000, 0), time.Unix(2000, 0)
	c := start(t,
		knows(policy.Identity{}),
		allowed(policy.Identity{PasswordHash: "h1", Perms: perms("elrw"), Home: "/joe", Label: "one", MaxSessions: 5, Expires: later,
			Rules: []policy.PathRule{{Dir: "/joe", Perms: *perms("elr")}}, Limits: policy.Limits{RateDown: 100}, State: []byte("s1")}),
		allowed(policy.Identity{Perms: perms("lrwd"), Home: "/other", Group: "staff", Label: "two", MaxSessions: 3, Expires: soon,
			Rules: []policy.PathRule{{Dir: "/in"}}, Limits: policy.Limits{RateDown: 500, RateUp: 7}, MsgLogin: "Hello.", Anonymous: true}),
		allowed(policy.Identity{PasswordHash: "h2", MaxSessions: 9, MsgLogin: "No.", MsgQuit: "Bye.", State: make([]byte, policy.MaxState)}),
	)
	l := c.Lease(1)
	defer l.Release()
	got, d := l.Authenticate(t.Context(), login("joe"))
	if d != nil {
		t.Fatal(d)
	}
	if !reflect.DeepEqual(got.Hashes, []string{"h1", "h2"}) || !reflect.DeepEqual(got.By, []string{"b", "c", "d"}) {
		t.Errorf("hashes %q, by %q", got.Hashes, got.By)
	}
	if got.Perms == nil || got.Perms.String() != "lrw" {
		t.Errorf("permissions %v, want those that both grant", got.Perms)
	}
	if got.Home != "/joe" || got.Group != "staff" || got.Label != "one" || got.MsgLogin != "Hello." || got.MsgQuit != "Bye." {
		t.Errorf("%+v", got.Identity)
	}
	if got.MaxSessions != 3 || !got.Expires.Equal(soon) || !got.Anonymous || len(got.Rules) != 2 {
		t.Errorf("%+v", got.Identity)
	}
	if got.Limits != (policy.Limits{RateDown: 100, RateUp: 7}) {
		t.Errorf("limits %+v", got.Limits)
	}
	if len(got.State) != 2 || string(got.State["b"]) != "s1" || len(got.State["d"]) != policy.MaxState {
		t.Errorf("state of %d policies", len(got.State))
	}
}

// TestAuthenticateNeutral holds that absent permissions narrow nothing, and that
// present ones hold whoever gives them.
func TestAuthenticateNeutral(t *testing.T) {
	for _, c := range []struct {
		chain []policy.Policy
		want  string // "-" for nil
	}{
		{[]policy.Policy{allowed(policy.Identity{})}, "-"},
		{[]policy.Policy{allowed(policy.Identity{}), allowed(policy.Identity{})}, "-"},
		{[]policy.Policy{allowed(policy.Identity{}), allowed(policy.Identity{Perms: perms("el")})}, "el"},
		{[]policy.Policy{allowed(policy.Identity{Perms: perms("el")}), allowed(policy.Identity{})}, "el"},
		{[]policy.Policy{allowed(policy.Identity{Perms: perms("el")}), allowed(policy.Identity{Perms: perms("w")})}, ""},
		{[]policy.Policy{allowed(policy.Identity{Perms: perms("el"), Final: true}), allowed(policy.Identity{Perms: perms("w")})}, "el"},
	} {
		l := start(t, c.chain...).Lease(1)
		got, d := l.Authenticate(t.Context(), login("joe"))
		l.Release()
		if d != nil || (got.Perms == nil) != (c.want == "-") || got.Perms != nil && got.Perms.String() != c.want {
			t.Errorf("%v, %v; want %s", got.Perms, d, c.want)
		}
	}
}

// TestAuthenticateLeavesAnswers holds that folding changes nothing that belongs
// to a policy.
func TestAuthenticateLeavesAnswers(t *testing.T) {
	mine := perms("elrw")
	rules := make([]policy.PathRule, 1, 8)
	a := allowed(policy.Identity{Perms: mine, Rules: rules})
	l := start(t, a, allowed(policy.Identity{Perms: perms("e"), Rules: []policy.PathRule{{Dir: "/b"}}})).Lease(1)
	defer l.Release()
	for range 2 {
		if got, d := l.Authenticate(t.Context(), login("joe")); d != nil || got.Perms.String() != "e" || len(got.Rules) != 2 {
			t.Errorf("%+v, %v", got, d)
		}
	}
	if mine.String() != "elrw" || rules[:2][1].Dir != "" {
		t.Error("a policy's own answer was changed")
	}
}
