package edge

import (
	"net/netip"
	"sync"

	"github.com/edgeftp/edgeftp/edge/pi"
)

// gate counts the sessions that are open. A client in a transfer is one session.
type gate struct {
	limits Limits

	mu    sync.Mutex
	total int
	byIP  map[netip.Prefix]int
}

type admission uint8

const (
	admitted admission = iota
	tooMany
	tooManyOfOne
)

func (g *gate) enter(a netip.Addr) admission {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := prefix(a)
	switch {
	case g.limits.Sessions > 0 && g.total >= g.limits.Sessions:
		return tooMany
	case g.limits.SessionsPerIP > 0 && g.byIP[p] >= g.limits.SessionsPerIP:
		return tooManyOfOne
	}
	g.total++
	g.byIP[p]++
	return admitted
}

func (g *gate) leave(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := prefix(a)
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
