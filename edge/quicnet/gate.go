package quicnet

import (
	"net/netip"
	"sync"
	"time"
)

// gate counts connections by address, and handshakes by second.
type gate struct {
	most      int // connections of one client; less than zero: no limit
	perSecond int // handshakes whose addresses are taken at their word

	mu    sync.Mutex
	held  map[netip.Prefix]int
	since time.Time // when the second began
	begun int       // handshakes since then
}

func newGate(l Limits) *gate {
	return &gate{most: l.ConnectionsPerAddress, perSecond: l.HandshakesPerSecond, held: map[netip.Prefix]int{}}
}

// client is what counts as one client: an IPv4 address, or an IPv6 /64.
func client(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // it fails for no address, and then all of those are one
	return p
}

// doubts reports whether an address has to be validated before a handshake. Whoever forges
// addresses can so use up no more than half of what another client may have.
func (g *gate) doubts(a netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.since) >= time.Second {
		g.since, g.begun = now, 0
	}
	g.begun++
	return g.begun > g.perSecond || g.most >= 0 && 2*g.held[client(a)] >= g.most
}

// enter counts a connection, unless there are as many as may be.
func (g *gate) enter(a netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	who := client(a)
	if g.most >= 0 && g.held[who] >= g.most {
		return false
	}
	g.held[who]++
	return true
}

// leave counts one less.
func (g *gate) leave(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who := client(a)
	if g.held[who]--; g.held[who] <= 0 {
		delete(g.held, who)
	}
}
