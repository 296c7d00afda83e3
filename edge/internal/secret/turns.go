package secret

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// turns are places for verifications, and the queue before them. Clients of one address
// wait in one line, and the lines take turns: who sends five hundred logins at once
// waits behind itself, and somebody else for one login of each address at most.
type turns struct {
	mu      sync.Mutex
	places  int // in all
	free    int // of them; none while somebody waits
	most    int // that may wait
	waiting int
	lines   map[netip.Prefix]*line
	round   []*line // those in which somebody waits, the next one first
}

// line is who waits of one address.
type line struct {
	of   netip.Prefix
	wait []*ticket // the first one is next
}

// ticket is one that waits. Its channel is closed when it need not wait any more.
type ticket struct {
	called chan struct{}
	err    error // instead of a place; once called is closed
}

func newTurns(places, most int) *turns {
	return &turns{places: places, free: places, most: most, lines: map[netip.Prefix]*line{}}
}

// enter takes a place, or returns the cause of ctx, or ErrBusy when none comes in time
// or too many wait. Of these the last of the longest line has to go.
func (t *turns) enter(ctx context.Context, who netip.Addr, late time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l, mine := t.queue(lineOf(who))
	if mine == nil {
		return nil
	}
	limit := time.NewTimer(time.Until(late))
	defer limit.Stop()
	err := ErrBusy
	select {
	case <-mine.called:
		return mine.err
	case <-limit.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if t.give(l, mine) && mine.err == nil { // the place came at the same moment
		t.leave()
	}
	return err
}

// lineOf is an address without what its owner chooses freely: an IPv6 /64 is one.
func lineOf(who netip.Addr) netip.Prefix {
	who = who.Unmap()
	bits := who.BitLen()
	if who.Is6() {
		bits = 64
	}
	p, _ := who.Prefix(bits) // the zero Prefix of no address at all: a line like another
	return p
}

// queue takes a place, and returns a nil ticket, or waits in a line.
func (t *turns) queue(of netip.Prefix) (*line, *ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		return nil, nil
	}
	l := t.lines[of]
	if l == nil {
		l = &line{of: of}
		t.lines[of] = l
		t.round = append(t.round, l)
	}
	mine := &ticket{called: make(chan struct{})}
	l.wait = append(l.wait, mine)
	if t.waiting++; t.waiting > t.most {
		longest := l
		for _, other := range t.round {
			if len(other.wait) > len(longest.wait) {
				longest = other
			}
		}
		last := longest.wait[len(longest.wait)-1]
		last.err = ErrBusy
		t.remove(longest, len(longest.wait)-1)
		close(last.called)
	}
	return l, mine
}

// remove takes the i-th out of a line, and an empty line out of the round.
func (t *turns) remove(l *line, i int) {
	t.waiting--
	l.wait = append(l.wait[:i], l.wait[i+1:]...)
	if len(l.wait) > 0 {
		return
	}
	delete(t.lines, l.of)
	for at, other := range t.round {
		if other == l {
			t.round = append(t.round[:at], t.round[at+1:]...)
			return
		}
	}
}

// give gives a ticket up and reports whether it was called already.
func (t *turns) give(l *line, mine *ticket) (called bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, other := range l.wait {
		if other == mine {
			t.remove(l, i)
			return false
		}
	}
	return true
}

// leave gives a place to who is next.
func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.round) == 0 {
		t.free++
		return
	}
	l := t.round[0]
	next := l.wait[0]
	t.round = append(t.round[1:], l) // its next turn is behind the others'
	t.remove(l, 0)
	close(next.called)
}
