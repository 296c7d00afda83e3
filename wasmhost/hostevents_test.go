package wasmhost

import (
	"slices"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// A module that narrows nothing is told of all that the ABI has numbers for, and of nothing
// that is about the machine alone; no manifest can ask for more.
func TestHostEvents(t *testing.T) {
	p := &Policy{module: &vetted{}}
	p.module.hooks[abi.HookEvent] = true
	told := p.Hooks().Interest.Events
	for k := policy.EventConnect; k.String() != "invalid"; k++ {
		if want := k <= policy.EventDraining || k == policy.EventClientMoved; slices.Contains(told, k) != want {
			t.Errorf("%s: told %v, want %v", k, !want, want)
		}
		if (eventNamed(k.String()) == k) != slices.Contains(told, k) {
			t.Errorf("a manifest may name %s: %v", k, eventNamed(k.String()) == k)
		}
	}
	p.module.manifest.Interest.Events = []policy.EventKind{policy.EventLogin}
	if told := p.Hooks().Interest.Events; !slices.Equal(told, []policy.EventKind{policy.EventLogin}) {
		t.Errorf("narrowed: %v", told)
	}
}
