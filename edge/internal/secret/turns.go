package secret

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// turns are places for verifications, and the queue before them. Networks take turns,
// in each of them its addresses, and those of one address wait in a line: who sends five
// hundred logins at once waits behind itself, and somebody from elsewhere for one login
// of each such network at most.
type turns struct {
	mu       sync.Mutex
	places   int // in all
	free     int // of them; none while somebody waits
	most     int // that may wait
	waiting  int
	networks map[netip.Prefix]*network
	round    []*network // those in which somebody waits, the next one first
}

// network is an IPv4 /24 or IPv6 /48, with its lines in the order of their turns.
type network struct {
	of      netip.Prefix
	lines   []*line
	waiting int
}

// line is who waits of one IPv4 address or IPv6 /64.
type line struct {
	of   netip.Prefix
	in   *network
	wait []*ticket // the first one is next
}

// ticket is one that waits. Its channel is closed when it need not wait any more.
type ticket struct {
	called chan struct{}
	err    error // instead of a place; once called is closed
}

func newTurns(places, most int) *turns {
	return &turns{places: places, free: places, most: most, networks: map[netip.Prefix]*network{}}
}

// enter takes a place, or returns the cause of ctx, or ErrBusy when none comes in time
// or too many wait. Of these the last of the longest line of the network with the most
// has to go.
func (t *turns) enter(ctx context.Context, who netip.Addr, late time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l, mine := t.queue(who)
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

// prefix is the first bits of an address, for IPv4 or IPv6. That of no address at all is
// the zero Prefix, which is one like another.
func prefix(who netip.Addr, four, six int) netip.Prefix {
	bits := four
	if who.Is6() {
		bits = six
	}
	p, _ := who.Prefix(bits)
	return p
}

// line finds the line of an address, or makes one.
func (t *turns) line(who netip.Addr) *line {
	who = who.Unmap()
	of := prefix(who, 24, 48)
	n := t.networks[of]
	if n == nil {
		n = &network{of: of}
		t.networks[of] = n
		t.round = append(t.round, n)
	}
	of = prefix(who, 32, 64)
	for _, l := range n.lines {
		if l.of == of {
			return l
		}
	}
	l := &line{of: of, in: n}
	n.lines = append(n.lines, l)
	return l
}

// queue takes a place, and returns a nil ticket, or waits in a line.
func (t *turns) queue(who netip.Addr) (*line, *ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		return nil, nil
	}
	l := t.line(who)
	mine := &ticket{called: make(chan struct{})}
	l.wait = append(l.wait, mine)
	l.in.waiting++
	if t.waiting++; t.waiting > t.most {
		longest := t.longest(l)
		last := longest.wait[len(longest.wait)-1]
		last.err = ErrBusy
		t.remove(longest, len(longest.wait)-1)
		close(last.called)
	}
	return l, mine
}

// longest is the longest line of the network in which most wait. If it is one of
// several, it is that of who comes.
func (t *turns) longest(l *line) *line {
	n := l.in
	for _, other := range t.round {
		if other.waiting > n.waiting {
			n = other
		}
	}
	if l.in != n {
		l = n.lines[0]
	}
	for _, other := range n.lines {
		if len(other.wait) > len(l.wait) {
			l = other
		}
	}
	return l
}

// remove takes the i-th out of a line, and what is empty then out of its round.
func (t *turns) remove(l *line, i int) {
	n := l.in
	t.waiting--
	n.waiting--
	l.wait = slices.Delete(l.wait, i, i+1)
	if len(l.wait) == 0 {
		n.lines = slices.DeleteFunc(n.lines, func(other *line) bool { return other == l })
	}
	if n.waiting == 0 {
		delete(t.networks, n.of)
		t.round = slices.DeleteFunc(t.round, func(other *network) bool { return other == n })
	}
}

// give gives a ticket up and reports whether it was called already.
func (t *turns) give(l *line, mine *ticket) (called bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(l.wait, mine)
	if i >= 0 {
		t.remove(l, i)
	}
	return i < 0
}

// leave gives a place to who is next.
func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.round) == 0 {
		t.free++
		return
	}
	n := t.round[0]
	l := n.lines[0]
	next := l.wait[0]
	n.lines = append(n.lines[1:], l) // their next turns are behind the others'
	t.round = append(t.round[1:], n)
	t.remove(l, 0)
	close(next.called)
}
