package edge

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/edge/internal/budget"
	"github.com/edgeftp/edgeftp/edge/internal/defender"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// gate counts the sessions that are open, and apart from them the connections that were
// handed on. A client in a transfer is one session.
type gate struct {
	limits Limits
	memory *budget.Memory
	// short counts those who were turned away for want of descriptors.
	short atomic.Uint64

	mu               sync.Mutex // guards limits and what is counted
	sessions, handed headcount
}

// headcount counts what is open, in all and by address. The zero value is empty.
type headcount struct {
	total int
	byIP  map[netip.Prefix]int
}

func (h *headcount) add(a netip.Addr) {
	p, _ := defender.Host(a)
	if h.byIP == nil {
		h.byIP = map[netip.Prefix]int{}
	}
	h.total++
	h.byIP[p]++
}

func (h *headcount) remove(a netip.Addr) {
	p, _ := defender.Host(a)
	h.total--
	if h.byIP[p]--; h.byIP[p] == 0 {
		delete(h.byIP, p)
	}
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
// handshake: two stacks, the records of TLS and its keys. A connection that is handed on
// takes as many where it goes.
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

// enter admits a session of an address, or a connection that is to be handed on, by what
// counts them; or says why not. What it has admitted must leave.
func (g *gate) enter(h *headcount, a netip.Addr) admission {
	verdict := g.count(h, a)
	switch {
	case verdict == noDescriptors:
		g.short.Add(1)
	case verdict == admitted && !g.memory.Enter(sessionMemory):
		g.discount(h, a)
		return noMemory
	}
	return verdict
}

func (g *gate) leave(h *headcount, a netip.Addr) {
	g.memory.Give(sessionMemory)
	g.discount(h, a)
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
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions.remove(from)
	g.sessions.add(to)
}

func (g *gate) count(h *headcount, a netip.Addr) admission {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, _ := defender.Host(a)
	switch most := g.limits.Sessions; {
	case most > 0 && h.total >= most:
		return tooMany
	case !g.affords(h):
		return noDescriptors
	case g.limits.SessionsPerIP > 0 && h.byIP[p] >= g.limits.SessionsPerIP:
		return tooManyOfOne
	}
	h.add(a)
	return admitted
}

// affords reports whether the descriptors are enough for one more. Connections that are
// handed on take one each, and may be as many as sessions could be: more of them would have
// nothing to serve them with. The first of either is always afforded. The caller holds mu.
func (g *gate) affords(h *headcount) bool {
	n := g.limits.bySessions()
	if n == 0 || h.total == 0 {
		return true
	}
	more := 1
	if h == &g.sessions {
		more = SessionDescriptors
	}
	return h.total < n && g.sessions.total*SessionDescriptors+g.handed.total+more <= g.limits.Descriptors
}

func (g *gate) discount(h *headcount, a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h.remove(a)
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
