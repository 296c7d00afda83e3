package bridge

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// refusal is how long nobody asks for as many sessions after a server has refused one: it
// could take the attempts for those of somebody who guesses.
const refusal = time.Minute

// reserve is how many sessions there may be beside the clients' own, of all downloads: a
// server has a limit for those of one address (edgeftp: 20), and clients come first.
const reserve = 12

// crew is the connections that downloads may use beside the one of all sessions.
type crew struct {
	trunks []*trunk
	log    *slog.Logger

	mu    sync.Mutex
	busy  int // sessions that downloads have
	fewer int // of the connections are left alone
	until time.Time
	told  bool
	works bool // the last attempt was not refused
}

// newCrew makes n connections, when they are wanted.
func newCrew(n int, main *trunk) *crew {
	c := &crew{log: main.log}
	for i := range n {
		c.trunks = append(c.trunks, &trunk{ctx: main.ctx, dial: main.dial, keep: main.keep, log: main.log.With("connection", i+2)})
	}
	return c
}

// take returns the connections that a download may use, until give, n of them at most.
func (c *crew) take(n int) []*trunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !time.Now().Before(c.until) {
		c.fewer = 0
	}
	some := c.trunks[:max(0, min(n, len(c.trunks)-c.fewer, reserve-c.busy))]
	c.busy += len(some)
	return some
}

// give ends the use of n connections.
func (c *crew) give(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy -= n
}

// refused notes that there was no session on n of them, and says so once.
func (c *crew) refused(n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fewer, c.until, c.works = c.fewer+n, time.Now().Add(refusal), false
	if !c.told {
		c.told = true
		c.log.Warn("large downloads use fewer connections", "error", oneLine(err))
	}
}

// worked notes that there was a session.
func (c *crew) worked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.works = true
}

// known reports whether it is known that there are sessions to be had.
func (c *crew) known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.works
}

// end waits until nothing of them runs.
func (c *crew) end() {
	for _, t := range c.trunks {
		t.end()
	}
}

// start lets sessions fetch: the client's own, once it is lent, and others, as far as each has
// two segments to fetch: one alone is not worth a login.
func (p *spread) start(ctx context.Context) {
	segments := min((p.size-p.next+segmentSize-1)/segmentSize, 2*reserve)
	others := p.bridge.crew.take(int(segments)/2 - 1)
	p.width = 1 + len(others)
	p.alive = p.width
	p.work.Go(func() { p.inherit(ctx) })
	switch {
	case len(others) == 0:
	case p.bridge.crew.known():
		p.recruit(ctx, others)
	default:
		p.work.Go(func() { p.try(ctx, others) })
	}
}

// inherit fetches with the client's own session, or with another one in its place.
func (p *spread) inherit(ctx context.Context) {
	w := &worker{spread: p, trunk: p.bridge.trunk}
	select {
	case f := <-p.lent:
		if f != nil {
			w.far, w.lent = f, true
		} else if err := w.reopen(ctx); err != nil {
			p.quit(err)
			return
		}
		w.serve(ctx)
	case <-ctx.Done():
	}
}

// try opens a session on the first of the other connections, and then on the rest of them:
// what refuses it would refuse them, too, and each attempt is a login.
func (p *spread) try(ctx context.Context, others []*trunk) {
	first, err := p.hire(ctx, others[0], len(others))
	if err != nil {
		return
	}
	p.recruit(ctx, others[1:])
	first.serve(ctx)
	first.trunk.leave()
}

// recruit opens sessions on other connections, which fetch then.
func (p *spread) recruit(ctx context.Context, others []*trunk) {
	for _, t := range others {
		p.work.Go(func() {
			if w, err := p.hire(ctx, t, 1); err == nil {
				w.serve(ctx)
				t.leave()
			}
		})
	}
}

// hire opens a session on a connection, for which that is kept until leave. Where there is
// none the download goes on without as many as would have come with it.
func (p *spread) hire(ctx context.Context, t *trunk, many int) (*worker, error) {
	t.enter()
	w := &worker{spread: p, trunk: t}
	err := w.open(ctx)
	if err == nil {
		p.bridge.crew.worked()
		return w, nil
	}
	t.leave()
	if ctx.Err() == nil {
		p.bridge.crew.refused(many, err)
	}
	for range many {
		p.quit(err)
	}
	return nil, err
}
