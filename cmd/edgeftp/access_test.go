package main

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/policies/users"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Where a user may log in from and what of TLS he needs is as he has it, else as his group, else as the defaults;
// what any of them denies is denied. That holds for users of the list and of the store alike, at the
// next login.
func TestAccessIsInherited(t *testing.T) {
	a, _ := accountsIn(t, t.TempDir())
	p := a.under(a.configuration())
	c := p.conf
	c.Defaults.Access = config.Access{Networks: prefixes("192.0.2.0/24"), DenyNetworks: prefixes("192.0.2.9/32"), TLS: config.Demands{Control: "required", MinVersion: "1.3"}}
	c.Groups = []config.Group{{Name: "staff", Access: config.Access{Networks: prefixes("198.51.100.0/24"), DenyNetworks: prefixes("198.51.100.9/32"),
		TLS: config.Demands{Data: "required", MinVersion: "listener"}}}}
	base := `"password_hash": "` + cheapHash + `"`
	for _, entry := range []string{
		`{"name": "plain", ` + base + `}`,
		`{"name": "member", "group": "staff", ` + base + `}`,
		`{"name": "stranger-of-a-group", "group": "module", ` + base + `}`,
		`{"name": "own", "group": "staff", "networks": ["203.0.113.0/24"], "deny_networks": ["203.0.113.9"], "tls": {"control": "listener", "data": "listener"}, ` + base + `}`,
		`{"name": "strict", "tls": {"client_certs": "required"}, ` + base + `}`,
	} {
		addUser(t, a, entry)
	}
	for name, want := range map[string]struct {
		users.User
		data, needs bool
	}{
		"plain": {users.User{Networks: prefixes("192.0.2.0/24"), DenyNetworks: prefixes("192.0.2.9/32"), TLS: users.Protection{Required: true, MinVersion: "1.3"}}, false, true},
		"dev":   {users.User{Networks: prefixes("192.0.2.0/24"), DenyNetworks: prefixes("192.0.2.9/32"), TLS: users.Protection{Required: true, MinVersion: "1.3"}}, false, true},
		"member": {users.User{Networks: prefixes("198.51.100.0/24"), DenyNetworks: prefixes("198.51.100.9/32", "192.0.2.9/32"), TLS: users.Protection{Required: true}},
			true, true},
		"stranger-of-a-group": {users.User{Networks: prefixes("192.0.2.0/24"), DenyNetworks: prefixes("192.0.2.9/32"), TLS: users.Protection{Required: true, MinVersion: "1.3"}},
			false, true},
		"own": {users.User{Networks: prefixes("203.0.113.0/24"), DenyNetworks: prefixes("203.0.113.9/32", "198.51.100.9/32", "192.0.2.9/32")}, false, false},
		"strict": {users.User{Networks: prefixes("192.0.2.0/24"), DenyNetworks: prefixes("192.0.2.9/32"),
			TLS: users.Protection{Required: true, MinVersion: "1.3", Certificate: true}}, false, true},
	} {
		got, known := p.Find(name)
		have := users.User{Networks: got.Networks, DenyNetworks: got.DenyNetworks, TLS: got.TLS}
		if diff := cmp.Diff(want.User, have, cmpopts.EquateComparable(netip.Prefix{})); diff != "" || !known {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.Limits.DataTLS != want.data || p.needsTLS(name) != want.needs {
			t.Errorf("%s: for data connections %v, needs TLS %v", name, got.Limits.DataTLS, p.needsTLS(name))
		}
	}
	c.Anonymous.Enabled = true
	if !p.needsTLS("nobody") || p.needsTLS(anonymous.User) || p.mayNeedTLS() == nil {
		t.Error("a name that nobody has is answered otherwise than most, or anonymous users need TLS")
	}
}

// Without the store, too, the defaults or a group can ask for TLS; then names that nobody has are
// answered likewise.
func TestMayNeedTLS(t *testing.T) {
	strict := config.Access{TLS: config.Demands{ClientCerts: "required"}}
	for what, c := range map[string]struct {
		conf config.Config
		may  bool
	}{
		"nobody":    {config.Config{}, false},
		"listener":  {config.Config{Defaults: config.Defaults{Access: config.Access{TLS: config.Demands{Control: "listener", MinVersion: "listener"}}}}, false},
		"defaults":  {config.Config{Defaults: config.Defaults{Access: strict}}, true},
		"a group":   {config.Config{Groups: []config.Group{{Name: "other"}, {Name: "staff", Access: strict}}}, true},
		"of a user": {config.Config{Users: []config.User{{Name: "a"}, {Name: "b", TLS: strict.TLS}}}, true},
	} {
		p := (&accounts{}).under(&c.conf)
		if hook := p.mayNeedTLS(); (hook != nil) != c.may || c.may && !hook("nobody") {
			t.Errorf("%s: %v", what, hook != nil)
		}
	}
}
