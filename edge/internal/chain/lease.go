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
	chain   *Chain
	gen     *generation
	session uint64
	host    string // see Options.Hosts
}

// Lease returns a hold on the generation that judges the session with this ID now:
// the current one, or the one that is on trial. After Close it holds nothing.
func (c *Chain) Lease(session uint64) Lease { return c.LeaseOf(session, "") }

// LeaseOf is Lease for a session of a host (Options.Hosts).
func (c *Chain) LeaseOf(session uint64, host string) Lease {
	if g := c.acquire(session, onePin); g != nil {
		return Lease{c, g, session, host}
	}
	return Lease{}
}

// acquire takes a reference on the session's present generation, nil after Close.
func (c *Chain) acquire(session, one uint64) *generation {
	for {
		f := c.front.Load()
		if g := f.pick(session); g.refs.add(one) {
			return g
		}
		if c.front.Load() == f { // closed, not replaced
			return nil
		}
	}
}

// Release gives the hold back.
func (l Lease) Release() {
	if l.gen != nil && l.gen.refs.drop(onePin) {
		l.chain.bury(l.gen)
	}
}

// Clear makes the lease hold nothing, after Release.
func (l *Lease) Clear() { *l = Lease{} }

// Held reports whether the lease holds a generation.
func (l Lease) Held() bool { return l.gen != nil }

// enter returns the generation that answers the lease's next question: its own,
// or the session's present one where its own was ended, as when it drained for too
// long; nil after Close. leave must be called after the question.
func (l Lease) enter() *generation {
	switch {
	case l.gen == nil:
		return nil
	case l.gen.refs.add(oneCall):
		return l.gen
	}
	return l.chain.acquire(l.session, oneCall)
}

// leave ends a question to g.
func (l Lease) leave(g *generation) {
	if g.refs.drop(oneCall) {
		l.chain.bury(g)
	}
}

func refusal() *policy.Denial {
	return &policy.Denial{Failed: true, Cause: errors.New("no policies are in force: the server is closing")}
}

// Authenticate asks every authenticator and folds the answers. On a nil Denial
// the Credential's hashes have still to be verified.
func (l Lease) Authenticate(ctx context.Context, q *policy.Login) (Credential, *policy.Denial) {
	g := l.enter()
	if g == nil {
		return Credential{}, refusal()
	}
	defer l.leave(g)
	return g.of(l.host).authenticate(ctx, q)
}

// Authorize asks every authorizer about one operation and folds the answers. The
// limits in the Grant are those of the answers alone.
func (l Lease) Authorize(ctx context.Context, q *policy.Action) (policy.Grant, *policy.Denial) {
	g := l.enter()
	if g == nil {
		return policy.Grant{}, refusal()
	}
	defer l.leave(g)
	return g.of(l.host).authorize(ctx, q, l.chain.conf.Clean)
}

// Observed reports whether anybody observes a kind of event: what nobody does need not
// be made. An event that Observe would give to a later generation, as the lease's own was
// ended, always has somebody.
func (l Lease) Observed(kind policy.EventKind) bool {
	return l.gen != nil && (l.mine().observed(kind) || l.gen.refs.ended())
}

// Observed reports whether anybody observes a kind of event of a session of a host that
// holds no lease.
func (c *Chain) Observed(session uint64, host string, kind policy.EventKind) bool {
	return c.front.Load().pick(session).of(host).observed(kind)
}

func (p *part) observed(kind policy.EventKind) bool {
	if int(kind) >= numEvents {
		return false
	}
	for _, m := range p.event[kind] {
		if !m.dormant() {
			return true
		}
	}
	return false
}

// Observe queues an event for every observer. It never waits for one. The session in
// the event must not change any more: observers share it with the caller.
func (l Lease) Observe(e policy.Event) {
	g := l.enter()
	if g == nil {
		return
	}
	defer l.leave(g)
	p := g.of(l.host)
	if !p.observed(e.Kind) {
		return
	}
	own := e // here alone it must outlive the call: what nobody observes costs no memory
	own.Late = g != l.gen
	for _, m := range p.event[e.Kind] {
		if !m.dormant() {
			m.queue.add(&own)
		}
	}
}
