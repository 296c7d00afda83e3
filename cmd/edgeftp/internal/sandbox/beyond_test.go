package sandbox

import (
	"strings"
	"testing"
)

// What the rules in force do not allow is named, and nothing else; a layer that is not on
// forbids nothing.
func TestBeyond(t *testing.T) {
	rules := Plan{Paths: []Path{{"/srv", Tree, ""}, {"/etc/edgeftp", Read, ""}, {"/var/log/edgeftp", Append, ""}, {"/etc/hosts", Read, ""}},
		Bind: []Ports{{2000, 2010, ""}, {0, 0, ""}}, ConnectTo: []Ports{{443, 443, ""}}}
	state := func(files, network string) *State {
		return &State{Rules: rules, Layers: []Layer{{Name: Files, State: files}, {Name: Network, State: network}}}
	}
	all := state(LayerOn, LayerOn)
	for _, c := range []struct {
		state *State
		plan  Plan
		want  string // parts of what is named, in order
	}{
		{all, Plan{Paths: []Path{{"/srv/a", Tree, ""}, {"/srv", Read, ""}, {"/etc/edgeftp/a.pem", Read, ""}, {"/var/log/edgeftp", Append, ""}}}, ""},
		{all, Plan{Paths: []Path{{"/srvx", Tree, "a root"}, {"/etc", Read, "b"}, {"/etc/edgeftp", Tree, "c"}, {"/etc/hosts2", Read, "d"}}},
			"tree of /srvx: a root|read of /etc: b|tree of /etc/edgeftp: c|read of /etc/hosts2: d"},
		{all, Plan{Bind: []Ports{{2000, 2010, ""}, {2005, 2005, ""}, {0, 0, ""}}}, ""},
		{all, Plan{Bind: []Ports{{2010, 2011, "wide"}, {21, 21, "listener"}}}, "ports 2010 to 2011: wide|port 21: listener"},
		{all, Plan{Connect: []string{"active mode"}}, "TCP connections to others: active mode"},
		{all, Plan{ConnectTo: []Ports{{443, 443, "webhook a"}, {8443, 8443, "webhook b"}}}, "TCP connections to port 8443 of others: webhook b"},
		{&State{Rules: Plan{Connect: []string{"active mode"}}, Layers: all.Layers}, Plan{ConnectTo: []Ports{{8443, 8443, "webhook b"}}}, ""},
		{state(LayerPartly, LayerMissing), Plan{Paths: []Path{{"/x", Read, "x"}}, Bind: []Ports{{1, 1, ""}}, Connect: []string{"a"}}, "read of /x: x"},
		{state(LayerOff, LayerOn), Plan{Paths: []Path{{"/x", Read, "x"}}, Bind: []Ports{{1, 1, "y"}}}, "port 1: y"},
		{nil, Plan{Paths: []Path{{"/x", Read, "x"}}}, ""},
	} {
		if got := strings.Join(c.state.Beyond(&c.plan), "|"); got != c.want {
			t.Errorf("%+v: %q, want %q", c.plan, got, c.want)
		}
	}
}
