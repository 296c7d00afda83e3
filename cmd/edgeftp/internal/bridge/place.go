package bridge

import (
	"net/netip"
	"time"
)

// looking is how often it is asked whether this machine has moved to another network.
const looking = 2 * time.Second

// Placed is a Link that knows from which address of this machine the server is reached now.
type Placed interface {
	Here() (netip.Addr, error)
}

// follow waits for the end of a connection, or of the bridge, and tells when the connection
// moves to another address of this machine. QUIC does that by itself (RFC 9000 §9); it is
// here to be seen.
func (t *trunk) follow(link Link) {
	var tick <-chan time.Time
	place, placed := link.(Placed)
	if placed {
		ticker := time.NewTicker(looking)
		defer ticker.Stop()
		tick = ticker.C
		t.look(place)
	}
	for {
		select {
		case <-link.Done():
			return
		case <-t.ctx.Done():
			return
		case <-tick:
			t.look(place)
		}
	}
}

// look sees from where the server is reached now.
func (t *trunk) look(place Placed) {
	here, err := place.Here()
	if err != nil { // there is no way at the moment
		return
	}
	t.mu.Lock()
	was := t.here
	t.here = here
	moved := was.IsValid() && was != here
	if moved {
		t.moved = time.Now()
	}
	t.mu.Unlock()
	if moved {
		t.log.Info("connection moved", "address", here.String())
	}
}
