package antiflood_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/antiflood"
)

// Whoever guesses at a user of one host slows nobody down at another.
func TestHosts(t *testing.T) {
	p, err := antiflood.New(antiflood.Config{KV: new(policy.MemKV), Failures: -1, NetworkFailures: -1, UserFailures: 1})
	if err != nil {
		t.Fatal(err)
	}
	meta := func(host string) policy.Meta {
		return policy.Meta{Request: 1, Time: time.Unix(1e9, 0), Session: &policy.Session{ID: 1, User: "anna", VHost: host, Peer: netip.MustParseAddrPort("192.0.2.1:4711")}}
	}
	for range 3 {
		if err := p.Observe(t.Context(), &policy.Event{Meta: meta("a"), Kind: policy.EventLoginFailed}); err != nil {
			t.Fatal(err)
		}
	}
	for host, want := range map[string]policy.Verdict{"": policy.Pass, "a": policy.Deny, "b": policy.Pass} {
		var last policy.Identity
		for range 2 { // one at a time is looked at
			if last, err = p.Authenticate(t.Context(), &policy.Login{Meta: meta(host)}); err != nil {
				t.Fatal(err)
			}
		}
		if last.Verdict != want {
			t.Errorf("at %q: %v, not %v", host, last.Verdict, want)
		}
	}
}
