package edge

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/edge/internal/budget"
	"github.com/edgeftp/edgeftp/edge/internal/defender"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// gate counts the sessions that are open. A client in a transfer is one session.
type gate struct {
	limits Limits
	memory *budget.Memory
	// short counts those who were turned away for want of descriptors.
	short atomic.Uint64

	mu    sync.Mutex
	total int
	byIP  map[netip.Prefix]int
}

type admission uint8

const (
	admitted admission = iota
	tooMany
	tooManyOfOne
	noDescriptors
	noMemory
)

// SessionDescriptors is how many descriptors a session takes at most, by which
// Limits.Descriptors is divided: the control connection; a data port, and the data
// connection that it has become while the port is still open; the file; its directory,
// and that opened again to publish; the two ends of the pipe of splice(2).
const SessionDescriptors = 8

// sessionMemory is how many bytes a session takes that is awake and silent, after a TLS
// handshake: two stacks, the records of TLS and its keys.
const sessionMemory = 48 << 10

// bySessions is how many sessions the descriptors are enough for; 0 is no limit.
func (l Limits) bySessions() int {
	if l.Descriptors <= 0 {
		return 0
	}
	return max(1, l.Descriptors/SessionDescriptors)
}

// most is how many sessions there may be at once; 0 is no limit.
func (l Limits) most() int {
	n := l.bySessions()
	if l.Sessions > 0 && (n == 0 || l.Sessions < n) {
		return l.Sessions
	}
	return n
}

// enter admits a session of an address, or says why not. What it has admitted must
// leave.
func (g *gate) enter(a netip.Addr) admission {
	verdict := g.count(a)
	switch {
	case verdict == noDescriptors:
		g.short.Add(1)
	case verdict == admitted && !g.memory.Enter(sessionMemory):
		g.discount(a)
		return noMemory
	}
	return verdict
}

func (g *gate) leave(a netip.Addr) {
	g.memory.Give(sessionMemory)
	g.discount(a)
}

// limit changes the limits for those who come from now on. Nobody who is in has to leave.
func (g *gate) limit(l Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
	g.memory.SetLimit(l.Memory)
}

// move counts a session with another address than before. It is in already: no limit stops
// it.
func (g *gate) move(from, to netip.Addr) {
	g.discount(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	p, _ := defender.Host(to)
	g.total++
	g.byIP[p]++
}

func (g *gate) count(a netip.Addr) admission {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, _ := defender.Host(a)
	switch n := g.limits.bySessions(); {
	case n > 0 && g.total >= n && (g.limits.Sessions == 0 || n < g.limits.Sessions):
		return noDescriptors
	case g.limits.Sessions > 0 && g.total >= g.limits.Sessions:
		return tooMany
	case g.limits.SessionsPerIP > 0 && g.byIP[p] >= g.limits.SessionsPerIP:
		return tooManyOfOne
	}
	g.total++
	g.byIP[p]++
	return admitted
}

func (g *gate) discount(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, _ := defender.Host(a)
	g.total--
	if g.byIP[p]--; g.byIP[p] == 0 {
		delete(g.byIP, p)
	}
}

// census counts the sessions of each user.
type census struct {
	mu     sync.Mutex
	byUser map[string]int
}

var _ pi.Census = (*census)(nil)

func (c *census) Enter(user string, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if most > 0 && c.byUser[user] >= most {
		return false
	}
	c.byUser[user]++
	return true
}

func (c *census) Leave(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byUser[user]--; c.byUser[user] == 0 {
		delete(c.byUser, user)
	}
}
