package wasm

import (
	"testing"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

// The client of these tests comes from 127.0.0.1, which the table does not have; the
// networks that it has are those for documentation, from which nobody comes.
func liveGeoFence(t *testing.T, dir string) {
	wasm := live.Build(t, dir)
	start := func(settings string) *live.Server {
		return live.Start(t, live.Options{Modules: []live.Module{{Name: "fence", Wasm: wasm, Settings: settings}}})
	}
	s := start("{ allow: [XA, XB], unknown: pass }")
	s.Put(t, "/a.txt", "a").Want(t, live.OK)
	s.Stop(t)

	s = start("{ deny: [XC] }")
	r := s.Get(t, "/").Want(t, live.NoLogin, "> USER", "530", "no service for this network")
	if r.Stdout != "" {
		t.Errorf("got %q", r.Stdout)
	}
	for _, sent := range []string{"> PASS", "< 331"} { // it is known before there is a password
		if containsLine(r.Stderr, sent) {
			t.Errorf("the dialogue has %q:\n%s", sent, r.Stderr)
		}
	}
	s.Stop(t)
}
