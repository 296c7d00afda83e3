package pi

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/throttle"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// pace is the limits that a login's transfers share. It is made with the first
// transfer: a session at rest has none.
type pace struct {
	user, session *throttle.Node
	// transfer is the own limit of the transfer that was prepared last. Without a limit
	// it is used again, until others may know of it: see expose.
	transfer *throttle.Node
	leave    func()
}

// limiter returns the throttle of one transfer: under what policies say while it
// runs (asked, which may be nil), its own limit, the session's, the user's, the
// host's, the listener's and the server's, and under the embedder's.
func (s *Session) limiter(down bool, limits policy.Limits, asked *throttle.Node) dtp.Limiter {
	var own dtp.Limiter
	if s.conf.Limiter != nil {
		own = s.conf.Limiter(s.who, down)
	}
	tree := s.conf.Throttle
	if tree == nil {
		return under(own, throttle.Chain(down, asked))
	}
	if s.rank.pace == nil {
		id := s.rank.id.Limits
		user, leaveUser := tree.User(s.conf.person(s.who.User), throttle.Rates{Down: id.RateDown, Up: id.RateUp})
		session, leaveSession := tree.Session(s.id, throttle.Rates{})
		s.rank.pace = &pace{user: user, session: session, leave: func() { leaveUser(); leaveSession() }}
	}
	p := s.rank.pace
	if r := s.rates(limits); p.transfer == nil || r != (throttle.Rates{}) || p.transfer.Rates() != r {
		p.transfer = throttle.NewNode(r)
	}
	chain := throttle.Chain(down, asked, p.transfer, p.session, p.user, s.conf.share(tree), tree.Listener(s.conf.Name), tree.Server())
	return under(own, chain)
}

// lade completes what is known of a transfer that begins.
func (s *Session) lade(c *cargo, t *dtp.Transfer, path string) {
	c.data, c.path = true, path
	if t.ASCII || t.Deflate != nil { // what moves is not as long as the file
		c.size, c.measure = -1, false
	}
	switch l := t.Limiter.(type) {
	case *throttle.Limiter:
		c.chain = l
	case both:
		c.chain, _ = l[1].(*throttle.Limiter)
	}
	if p := s.rank.pace; p != nil && c.chain != nil {
		c.node = p.transfer
	}
}

// under puts a transfer under two throttles, of which either may be nil.
func under(own dtp.Limiter, chain *throttle.Limiter) dtp.Limiter {
	switch {
	case chain == nil:
		return own
	case own == nil:
		return chain
	}
	return both{own, chain}
}

// rates are those of one transfer: what a policy answered, or by default what the
// configuration has for each.
func (s *Session) rates(limits policy.Limits) throttle.Rates {
	r, each := throttle.Rates{Down: limits.RateDown, Up: limits.RateUp}, s.conf.Throttle.Transfer()
	if r.Down <= 0 {
		r.Down = each.Down
	}
	if r.Up <= 0 {
		r.Up = each.Up
	}
	return r
}

// both is a transfer under two throttles.
type both [2]dtp.Limiter

// Slice implements dtp.Limiter.
func (b both) Slice() int { return min(b[0].Slice(), b[1].Slice()) }

// Wait implements dtp.Limiter.
func (b both) Wait(ctx context.Context, n int) error {
	for _, l := range b {
		if err := l.Wait(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// Done implements dtp.Doner.
func (b both) Done() {
	for _, l := range b {
		if d, ok := l.(dtp.Doner); ok {
			d.Done()
		}
	}
}

// depart gives back what a login holds: its place among the user's sessions, its
// part in the limits, its filesystem.
func (s *Session) depart() {
	if s.rank.counted {
		s.conf.leave(s.who.User)
	}
	if p := s.rank.pace; p != nil {
		p.leave()
	}
	s.rank.counted, s.rank.pace = false, nil
	s.word.And(^uint64(wordInside))
	s.giveBack()
}
