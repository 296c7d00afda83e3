package bridge

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ahead is how many segments there may be for each session that fetches them, from the one
// that the client gets to the last one that was asked for: one is under way, and one may wait
// for those before it.
const ahead = 2

// spread is a download whose segments several sessions fetch, each over a connection of its
// own, while the client gets them in order. Its beginning is none of them: the client's own
// session has asked for that before the size of the file was known.
type spread struct {
	job    *transfer
	bridge *Bridge
	parent context.Context // of that session
	again  memory          // what makes a session of the server's like the client's own
	facts  string          // of the file, see same
	size   int64
	width  int // how many sessions there may be

	lent   chan *far // the client's own session, when its first part is done; nil: it is lost
	broken error     // what became of it while it was lent; to be read after the job

	work sync.WaitGroup

	mu     sync.Mutex
	next   int64      // nobody was asked for what begins here
	order  []*segment // the client gets the first one
	back   []*segment // those of them that nobody fetches any more
	alive  int        // sessions that fetch, or may soon
	used   int        // sessions that have fetched
	mended int        // how often one had to be opened again
	wake   chan struct{}
	spare  chan []byte
}

// newSpread makes the spread of a download of which all that matters is known.
func newSpread(s *session, job *transfer) *spread {
	facts := *job.facts.Load()
	return &spread{job: job, bridge: s.bridge, parent: s.ctx, again: s.memory, facts: facts, size: sizeOf(facts), next: job.from + segmentSize,
		lent: make(chan *far, 1), wake: make(chan struct{}), spare: make(chan []byte, segmentSize/chunk)}
}

// sizeOf reads the size among the facts that same returns.
func sizeOf(facts string) int64 {
	for fact := range strings.SplitSeq(facts, ";") {
		if text, ok := strings.CutPrefix(fact, "size="); ok {
			n, err := strconv.ParseInt(text, 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return -1
}

// claim returns a segment to be fetched, and waits for it while the client has not taken
// those before it. A session that is the only one gets all the rest at once.
func (p *spread) claim(ctx context.Context) (*segment, error) {
	for {
		g, wait := p.take()
		if g != nil {
			return g, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// take is one attempt of claim; where there is nothing to fetch it returns what to wait for.
func (p *spread) take() (*segment, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.back) > 0 {
		g := p.back[0]
		p.back = p.back[1:]
		return g, nil
	}
	if p.next >= p.size || len(p.order) >= ahead*p.width {
		return nil, p.wake
	}
	end := min(p.next+segmentSize, p.size)
	if p.alive == 1 {
		end = p.size
	}
	g := newSegment(p.next, end)
	p.next, p.order = end, append(p.order, g)
	p.stir()
	return g, nil
}

// first makes the part of the beginning a segment that did not come.
func (p *spread) first(at, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := newSegment(at, end)
	p.order = slices.Insert(p.order, 0, g)
	p.back = slices.Insert(p.back, 0, g)
	p.stir()
}

// giveBack lets another session go on with a segment.
func (p *spread) giveBack(g *segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.back = append(p.back, g)
	slices.SortFunc(p.back, func(a, b *segment) int { return int(min(1, max(-1, a.at-b.at))) })
	p.stir()
}

// joined counts a session that fetches.
func (p *spread) joined() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used++
}

// lost counts a connection that was.
func (p *spread) lost() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mended++
}

// quit is the end of a session that fetches no more. With the last one the download ends.
func (p *spread) quit(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive--; p.alive == 0 {
		p.job.stop(err)
	}
}

// stir wakes all who wait for a change. The caller holds the lock.
func (p *spread) stir() {
	close(p.wake)
	p.wake = make(chan struct{})
}

// pour gives the client all segments.
func (p *spread) pour(ctx context.Context, conn net.Conn) error {
	for {
		g, wait := p.head()
		switch {
		case g != nil:
			if err := p.hand(ctx, g, conn); err != nil {
				return err
			}
			continue
		case wait == nil:
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// head is the segment that is next. None, and nothing to wait for: that was all.
func (p *spread) head() (*segment, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(p.order) > 0:
		return p.order[0], nil
	case p.next < p.size:
		return nil, p.wake
	}
	return nil, nil
}

// hand gives the client one segment.
func (p *spread) hand(ctx context.Context, g *segment, conn net.Conn) error {
	for {
		select {
		case b, more := <-g.chunks:
			if !more {
				p.done()
				return nil
			}
			if _, err := conn.Write(b); err != nil {
				return &clientError{err}
			}
			p.job.moved.Add(int64(len(b)))
			select {
			case p.spare <- b:
			default:
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// done takes the first segment away, which makes room for another one.
func (p *spread) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order[0] = nil
	p.order = p.order[1:]
	p.stir()
}

// buffer returns room for a chunk.
func (p *spread) buffer() []byte {
	select {
	case b := <-p.spare:
		return b[:chunk]
	default:
		return make([]byte, chunk)
	}
}
