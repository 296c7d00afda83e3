package main

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/kv"
)

// A ban is for the successor from when the state is given up, and is told once there is one; a server that
// goes on forgets what it has kept for it.
func TestBansForSuccessor(t *testing.T) {
	store, err := kv.Open("", kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	said := new(bytes.Buffer)
	p := &predecessor{in: &instance{store: store, log: slog.New(slog.NewTextHandler(said, nil))}}
	space, err := store.Space(bansSpace, bansBytes)
	if err != nil {
		t.Fatal(err)
	}
	ban := func(ip string) {
		who := netip.MustParsePrefix(ip + "/32")
		p.banned(edge.Ban{Who: who, Until: time.Now().Add(time.Hour)}, []byte(ip))
	}
	told := func(ip string) bool {
		v, _ := space.Get(ip + "/32")
		return string(v) == ip
	}
	ban("192.0.2.1")
	p.enter(phaseAsked)
	ban("192.0.2.2")
	p.enter(phaseYielded)
	ban("192.0.2.3")
	p.enter(phaseAsked) // it has taken its place back
	p.enter(phaseYielded)
	ban("192.0.2.4")
	if told("192.0.2.4") {
		t.Error("it is told before it is known whether anybody serves")
	}
	p.enter(phaseReplaced)
	ban("192.0.2.5")
	for ip, want := range map[string]bool{"192.0.2.1": false, "192.0.2.2": false, "192.0.2.3": false, "192.0.2.4": true, "192.0.2.5": true} {
		if told(ip) != want {
			t.Errorf("%s is told: %v", ip, told(ip))
		}
	}
	if said.Len() != 0 {
		t.Errorf("%s", said)
	}
	who := netip.MustParsePrefix("192.0.2.6/32")
	p.banned(edge.Ban{Who: who, Until: time.Now().Add(time.Hour)}, make([]byte, 1<<20)) // that has no room
	if !strings.Contains(said.String(), "is not told") {
		t.Errorf("the log says nothing of a ban without room: %s", said)
	}
}
