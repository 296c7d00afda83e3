package wasmhost

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// TestNetworks asks a module that names where a user may come from: what is no network is
// the module's fault, which the error names with the key, and refuses the login.
func TestNetworks(t *testing.T) {
	p := load(t, newHost(t, Config{Budgets: patient()}), "networks")
	a := p.Hooks().Authenticator
	for _, user := range []string{"anna", "bob", "anna"} {
		s := testSession
		s.User = user
		id, err := a.Authenticate(t.Context(), &policy.Login{Meta: policy.Meta{Session: &s, Request: 1}})
		if user == "anna" {
			if err != nil || id.Verdict != policy.Allow || !slices.Equal(id.Networks, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}) {
				t.Errorf("%+v, %v", id, err)
			}
			continue
		}
		if fault := (*CallError)(nil); !errors.As(err, &fault) || fault.Cause != CauseBadOutput || id.Verdict != policy.Pass || id.Networks != nil {
			t.Fatalf("%+v, %v", id, err)
		}
		for _, word := range []string{"bad output in auth", `NETWORK "192.0.2.1/24" is no network: write it like 192.0.2.0/24 or 2001:db8::/32`} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in %v", word, err)
			}
		}
	}
}

// TestDataPeer shows a module where bytes go.
func TestDataPeer(t *testing.T) {
	a := load(t, newHost(t, Config{Budgets: patient()}), "networks").Hooks().Authorizer
	s := testSession
	for _, peer := range []string{"198.51.100.1:20000", "[2001:db8::7]:1", ""} {
		q := &policy.Action{Meta: policy.Meta{Session: &s, Request: 1}, Op: policy.OpRead, Path: "/a"}
		want := policy.Answer{}
		if peer != "" {
			q.DataPeer = netip.MustParseAddrPort(peer)
			want = policy.Answer{Verdict: policy.Deny, Code: 553, Text: peer}
		}
		if got, err := a.Authorize(t.Context(), q); err != nil || got != want {
			t.Errorf("to %q: %+v, %v", peer, got, err)
		}
	}
}

// TestClientMoved tells a module of a client that goes on from another address.
func TestClientMoved(t *testing.T) {
	o := load(t, newHost(t, Config{Budgets: patient()}), "networks").Hooks().Observer
	s := testSession
	e := &policy.Event{Meta: policy.Meta{Session: &s, Request: 1}, Kind: policy.EventClientMoved, Text: "192.0.2.8:40001"}
	if err := o.Observe(t.Context(), e); err == nil || !strings.Contains(err.Error(), e.Text) {
		t.Errorf("moved: %v", err)
	}
	if e.Kind = policy.EventLogin; o.Observe(t.Context(), e) != nil {
		t.Error("another event")
	}
}
