package chain

import (
	"context"
	"errors"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Lease is one command's hold on a generation, lent to its transfer. The zero
// value holds nothing and refuses everything. A Lease is a value, but only one
// of its copies may be released.
type Lease struct {
	chain *Chain
	gen   *generation
}

// Lease returns a hold on the current generation. After Close it holds nothing.
func (c *Chain) Lease() Lease {
	for {
		g := c.current.Load()
		if g.refs.add(onePin) {
			return Lease{c, g}
		}
		if c.current.Load() == g { // closed, not replaced
			return Lease{}
		}
	}
}

// Release gives the hold back.
func (l Lease) Release() {
	if l.gen != nil && l.gen.refs.drop(onePin) {
		l.chain.end(l.gen)
	}
}

// Clear makes the lease hold nothing, after Release.
func (l *Lease) Clear() { *l = Lease{} }

// Held reports whether the lease holds a generation.
func (l Lease) Held() bool { return l.gen != nil }

// enter returns the generation that answers the lease's next question: its own,
// or the current one where its own was ended because it drained for too long.
// done must be called after the question.
func (l Lease) enter() (g *generation, done func()) {
	for l.gen != nil {
		g = l.gen
		if !g.refs.add(oneCall) {
			if g = l.chain.current.Load(); !g.refs.add(oneCall) {
				if g == l.chain.current.Load() {
					break
				}
				continue
			}
		}
		return g, func() {
			if g.refs.drop(oneCall) {
				l.chain.end(g)
			}
		}
	}
	return nil, nil
}

func refusal() *policy.Denial {
	return &policy.Denial{Failed: true, Cause: errors.New("no policies are in force: the server is closing")}
}

// Authenticate asks every authenticator and folds the answers. On a nil Denial
// the Credential's hashes have still to be verified.
func (l Lease) Authenticate(ctx context.Context, q *policy.Login) (Credential, *policy.Denial) {
	g, done := l.enter()
	if g == nil {
		return Credential{}, refusal()
	}
	defer done()
	return g.authenticate(ctx, q)
}

// Authorize asks every authorizer about one operation and folds the answers. The
// limits in the Grant are those of the answers alone.
func (l Lease) Authorize(ctx context.Context, q *policy.Action) (policy.Grant, *policy.Denial) {
	g, done := l.enter()
	if g == nil {
		return policy.Grant{}, refusal()
	}
	defer done()
	return g.authorize(ctx, q, l.chain.conf.Clean)
}

// Observe queues an event for every observer. It never waits for one. The
// session in the event is copied: the caller may go on changing its own.
func (l Lease) Observe(e policy.Event) {
	g, done := l.enter()
	if g == nil {
		return
	}
	defer done()
	if len(g.event) == 0 {
		return
	}
	session := *e.Session
	e.Session = &session
	for _, m := range g.event {
		m.queue.add(&e)
	}
}
