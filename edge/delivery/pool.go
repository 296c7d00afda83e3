package delivery

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"sync"
	"time"
)

// patience is for how long a request waits for a session while others of its connection
// have all that there may be.
const patience = 30 * time.Second

// pool is the sessions of one connection of HTTP's. A session does one thing at a time, and
// requests of one connection may come beside each other, so that there are some.
type pool struct {
	turns chan struct{} // one in it for each session that is in use

	mu     sync.Mutex
	idle   []*guest // the one that waits longest first
	inUse  int
	closed bool
}

// guest is a session that somebody has logged in to.
type guest struct {
	session
	who [sha256.Size]byte // the credentials
	old bool              // it has carried a request out before
}

func newPool(size int) *pool { return &pool{turns: make(chan struct{}, size)} }

// take returns a session for some credentials: one that is idle, or else a new one of open,
// for which it may have to close an idle one.
func (p *pool) take(ctx context.Context, who [sha256.Size]byte, open func() (session, *problem)) (*guest, *problem) {
	if no := p.turn(ctx); no != nil {
		return nil, no
	}
	if g := p.reuse(who); g != nil {
		return g, nil
	}
	s, no := open()
	if no != nil {
		p.leave()
		return nil, no
	}
	return &guest{session: s, who: who}, nil
}

// turn waits until one more session may be in use.
func (p *pool) turn(ctx context.Context) *problem {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case p.turns <- struct{}{}:
		p.mu.Lock()
		p.inUse++
		p.mu.Unlock()
		return nil
	case <-ctx.Done():
		return say(http.StatusServiceUnavailable, "The request was given up.")
	case <-wait.C:
		return crowded()
	}
}

func (p *pool) leave() {
	p.mu.Lock()
	p.inUse--
	p.mu.Unlock()
	<-p.turns
}

// reuse returns an idle session, nil if there is none. It makes room for another one then.
func (p *pool) reuse(who [sha256.Size]byte) *guest {
	var gone []*guest
	defer func() {
		for _, g := range gone {
			g.Close()
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, g := range slices.Backward(p.idle) {
		if g.who != who {
			continue
		}
		p.idle = slices.Delete(p.idle, i, i+1)
		if !g.Closed() {
			return g
		}
		gone = append(gone, g)
	}
	for len(p.idle) > 0 && len(p.idle)+p.inUse > cap(p.turns) {
		gone = append(gone, p.idle[0])
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	return nil
}

// put gives a session back.
func (p *pool) put(g *guest) {
	defer p.leave()
	p.mu.Lock()
	keep := !p.closed && !g.Closed()
	if g.old = true; keep {
		p.idle = append(p.idle, g)
	}
	p.mu.Unlock()
	if !keep {
		g.Close()
	}
}

// close ends the sessions; those that are in use end when they are given back.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, g := range idle {
		g.Close()
	}
}
