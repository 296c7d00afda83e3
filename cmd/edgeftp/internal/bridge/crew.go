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

// crew is the connections that downloads may use beside the one of all sessions.
type crew struct {
	trunks []*trunk
	log    *slog.Logger

	mu    sync.Mutex
	fewer int // of them are left alone
	until time.Time
	told  bool
}

// newCrew makes n connections, when they are wanted.
func newCrew(n int, main *trunk) *crew {
	c := &crew{log: main.log}
	for i := range n {
		c.trunks = append(c.trunks, &trunk{ctx: main.ctx, dial: main.dial, keep: main.keep, log: main.log.With("connection", i+2)})
	}
	return c
}

// free are those that may be used now.
func (c *crew) free() []*trunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !time.Now().Before(c.until) {
		c.fewer = 0
	}
	return c.trunks[:max(0, len(c.trunks)-c.fewer)]
}

// refused notes that there was no session on n of them, and says so once.
func (c *crew) refused(n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fewer, c.until = c.fewer+n, time.Now().Add(refusal)
	if !c.told {
		c.told = true
		c.log.Warn("large downloads use fewer connections", "error", oneLine(err))
	}
}

// end waits until nothing of them runs.
func (c *crew) end() {
	for _, t := range c.trunks {
		t.end()
	}
}

// start lets sessions fetch: the client's own, once it is lent, and others.
func (p *spread) start(ctx context.Context) {
	others := p.bridge.crew.free()
	others = others[:min(len(others), p.width-1)]
	p.width = 1 + len(others)
	p.alive = p.width
	p.work.Go(func() { p.inherit(ctx) })
	if len(others) > 0 {
		p.work.Go(func() { p.recruit(ctx, others) })
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

// recruit opens sessions on the other connections. The first one comes alone: what refuses it
// would refuse the others, and each attempt is a login.
func (p *spread) recruit(ctx context.Context, others []*trunk) {
	first, err := p.hire(ctx, others[0], len(others))
	if err != nil {
		return
	}
	for _, t := range others[1:] {
		p.work.Go(func() {
			if w, err := p.hire(ctx, t, 1); err == nil {
				w.serve(ctx)
				t.leave()
			}
		})
	}
	first.serve(ctx)
	others[0].leave()
}

// hire opens a session on a connection, for which that is kept until leave. Where there is
// none the download goes on without as many as would have come with it.
func (p *spread) hire(ctx context.Context, t *trunk, many int) (*worker, error) {
	t.enter()
	w := &worker{spread: p, trunk: t}
	err := w.open(ctx)
	if err == nil {
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
