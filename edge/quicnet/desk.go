package quicnet

import (
	"io"
	"slices"
	"sync"
	"time"
)

// remembered is how many used tokens a connection knows.
const remembered = 256

// incoming is a data stream of the peer's, whose head was read.
type incoming interface {
	io.Reader
	SetReadDeadline(time.Time) error
	refuse(Code)
}

// desk brings the data streams of the peer together with who awaits them. Either may come
// first: streams overtake each other, so that a stream may be there before the command
// that speaks of it.
type desk struct {
	most  int           // tokens that may be awaited
	stray time.Duration // how long a stream waits for somebody to await it

	mu       sync.Mutex
	slots    map[Token]*slot
	expected int
	spent    []spent
	next     int // where in spent the next one goes, once it is full
	closed   bool
}

// slot is a token that is awaited, or whose stream has come, or both.
type slot struct {
	token    Token
	expected bool
	stream   incoming      // nil until it has come
	came     chan struct{} // closed when it has
	timer    *time.Timer   // of a stream that nobody awaits
}

// spent is a token that was used. streamed says that a stream of the peer's bore it.
type spent struct {
	token    Token
	streamed bool
}

func newDesk(most int, stray time.Duration) *desk {
	return &desk{most: most, stray: stray, slots: map[Token]*slot{}}
}

// expect awaits the stream of a token.
func (d *desk) expect(t Token) (*slot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.slots[t]
	switch {
	case s != nil && s.expected, d.past(t) != nil:
		return nil, ErrUsed
	case d.expected >= d.most:
		return nil, tooMany(d.most)
	}
	if s == nil {
		s = &slot{token: t, came: make(chan struct{})}
		d.slots[t] = s
	} else if s.timer != nil {
		s.timer.Stop()
	}
	s.expected = true
	d.expected++
	return s, nil
}

// past returns what is known of a token that was used; nil if it was not. The caller
// holds mu.
func (d *desk) past(t Token) *spent {
	if i := slices.IndexFunc(d.spent, func(s spent) bool { return s.token == t }); i >= 0 {
		return &d.spent[i]
	}
	return nil
}

// arrive takes a stream to whoever awaits its token, or keeps it for a while. It returns
// false for a second stream with the same token, which no honest peer opens.
func (d *desk) arrive(t Token, stream incoming) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		stream.refuse(CodeToken)
		return true
	}
	if p := d.past(t); p != nil {
		again := p.streamed
		p.streamed = true
		stream.refuse(CodeToken)
		return !again
	}
	s := d.slots[t]
	if s == nil {
		s = &slot{token: t, came: make(chan struct{})}
		s.timer = time.AfterFunc(d.stray, func() { d.forget(s) })
		d.slots[t] = s
	}
	if s.stream != nil {
		stream.refuse(CodeToken)
		return false
	}
	s.stream = stream
	close(s.came)
	return true
}

// forget refuses a stream that nobody has awaited in time.
func (d *desk) forget(s *slot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !s.expected && d.slots[s.token] == s {
		d.spend(s)
		s.stream.refuse(CodeToken)
	}
}

// take ends the waiting for a stream: it is the caller's, nil if it has not come.
func (d *desk) take(s *slot) incoming {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slots[s.token] != s {
		return nil
	}
	d.spend(s)
	return s.stream
}

// drop ends the waiting for a stream that is wanted no more.
func (d *desk) drop(s *slot, why Code) {
	if stream := d.take(s); stream != nil {
		stream.refuse(why)
	}
}

// spend makes a token one that was used. The caller holds mu.
func (d *desk) spend(s *slot) {
	delete(d.slots, s.token)
	if s.expected {
		d.expected--
	}
	was := spent{s.token, s.stream != nil}
	if len(d.spent) < remembered {
		d.spent = append(d.spent, was)
		return
	}
	d.spent[d.next] = was
	d.next = (d.next + 1) % remembered
}

// close lets go of everything: the connection has ended.
func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, s := range d.slots {
		if s.timer != nil {
			s.timer.Stop()
		}
	}
	clear(d.slots)
	d.expected = 0
}
