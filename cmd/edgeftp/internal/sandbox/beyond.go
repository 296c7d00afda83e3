package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// Beyond lists what a plan needs that the rules in force do not allow, each with what it
// is for. A layer that is not on forbids nothing. A nil State is that of no sandbox.
func (s *State) Beyond(next *Plan) []string {
	if s == nil {
		return nil
	}
	var out []string
	if s.Guards() {
		for _, p := range next.Paths {
			if !s.Rules.allows(p) {
				out = append(out, fmt.Sprintf("%s of %s: %s", p.Access, p.Path, p.Why))
			}
		}
	}
	if !s.is(Network) {
		return out
	}
	for _, b := range next.Bind {
		if !s.Rules.binds(b) {
			out = append(out, fmt.Sprintf("%s: %s", b.name(), b.Why))
		}
	}
	if len(next.Connect) > 0 && len(s.Rules.Connect) == 0 {
		out = append(out, "TCP connections to others: "+strings.Join(next.Connect, ", "))
	}
	for _, to := range next.ConnectTo {
		if len(s.Rules.Connect) == 0 && !slices.ContainsFunc(s.Rules.ConnectTo, func(have Ports) bool { return have.First <= to.First && to.Last <= have.Last }) {
			out = append(out, fmt.Sprintf("TCP connections to %s of others: %s", to.name(), to.Why))
		}
	}
	return out
}

// is reports whether a layer is on, or in part.
func (s *State) is(layer string) bool {
	for _, l := range s.Layers {
		if l.Name == layer {
			return l.State == LayerOn || l.State == LayerPartly
		}
	}
	return false
}

// allows reports whether some rule allows what another one would.
func (p *Plan) allows(want Path) bool {
	for _, have := range p.Paths {
		if have.Access != want.Access && have.Access != Tree {
			continue
		}
		if want.Path == have.Path || strings.HasPrefix(want.Path, strings.TrimSuffix(have.Path, "/")+"/") {
			return true
		}
	}
	return false
}

// binds reports whether some rule allows all the ports of another one.
func (p *Plan) binds(want Ports) bool {
	for _, have := range p.Bind {
		if have.First <= want.First && want.Last <= have.Last {
			return true
		}
	}
	return false
}

func (b Ports) name() string {
	switch {
	case b.First == 0:
		return "ports that the kernel chooses"
	case b.First == b.Last:
		return fmt.Sprintf("port %d", b.First)
	}
	return fmt.Sprintf("ports %d to %d", b.First, b.Last)
}

// Listen adds the port of an address that is bound while the server runs.
func (p *Plan) Listen(port uint16, why string) { p.bind(port, port, why) }
