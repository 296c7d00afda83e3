package wasmhost

import (
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
)

// A guest keeps the rules that every policy keeps, and so does the host when the
// guest does not.
func TestConformance(t *testing.T) {
	login := func(user string, early bool) *policy.Login {
		return &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: user, Root: "/"}}, Early: early}
	}
	write := func(path string) *policy.Action { return &policy.Action{Op: policy.OpWrite, Path: path} }
	for module, cases := range map[string][]policytest.Case{
		"auth": {
			{Login: login("anna", false), Want: policy.Allow},
			{Login: login("bert", false), Want: policy.Deny},
		},
		"early": {
			{Login: login("anna", true), Want: policy.Allow},
			{Login: login("anna", false), Want: policy.Pass},
		},
		"moody": {
			{Action: write("/a/fine"), Want: policy.Pass},
			{Action: write("/a/next"), Want: policy.Allow},
			{Action: write("/a/deny"), Want: policy.Deny},
			{Action: write("/a/move"), Want: policy.Rewrite},
			{Action: write("/a/hide"), Want: policy.Hide},
			{Action: write("/a/fail"), Fails: true},
			{Action: write("/a/trap"), Fails: true},
			{Action: write("/a/loop"), Fails: true},
			{Action: write("/a/junk"), Fails: true},
			{Action: write("/a/code"), Fails: true},
			{Action: write("/a/crlf"), Fails: true},
			{Action: write("/" + strings.Repeat("x", 20000)), Fails: true},
		},
		"event": {
			{Event: &policy.Event{Kind: policy.EventDenied, Text: "why"}},
			{Event: &policy.Event{Kind: policy.EventLogin}, Fails: true},
		},
	} {
		t.Run(module, func(t *testing.T) {
			h := newHost(t, Config{})
			policytest.TestPolicy(t, func(t *testing.T) policy.Policy { return conforming(t, h, testModule(t, module)) }, cases...)
		})
	}
}

// goRules asks a module of the Go SDK.
func goRules(t *testing.T, h *Host, module []byte) {
	anna := policy.Meta{Session: &policy.Session{ID: 1, User: "anna", TLS: policy.TLS{ClientSHA256: "00ff"}}}
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy { return conforming(t, h, module) },
		policytest.Case{Name: "password", Login: &policy.Login{Meta: anna, Password: "secret"}, Want: policy.Allow},
		policytest.Case{Name: "wrong password", Login: &policy.Login{Meta: anna, Password: "guess"}, Want: policy.Deny},
		policytest.Case{Name: "certificate", Login: &policy.Login{Meta: anna, Early: true}, Want: policy.Allow},
		policytest.Case{Action: &policy.Action{Op: policy.OpRead, Path: "/panic"}, Fails: true},
		policytest.Case{Action: &policy.Action{Op: policy.OpRead, Path: "/text"}, Fails: true},
		policytest.Case{Action: &policy.Action{Op: policy.OpRead, Path: "/time"}, Want: policy.Deny},
		policytest.Case{Event: &policy.Event{Kind: policy.EventBanAdded}},
	)
}

// conforming loads a module for policytest, which is to close it: nothing of it may
// be left then.
func conforming(t *testing.T, h *Host, module []byte) policy.Policy {
	t.Helper()
	p, err := h.Load(t.Context(), "guest", module, LoadOptions{Grant: Grant{Password: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s := p.Stats(); s.Instances != 0 || s.Calls == 0 && !strings.HasSuffix(t.Name(), "Close_unused") {
			t.Errorf("after Close: %+v", s)
		}
	})
	return p
}
