package chain

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

const (
	queueLength = 8192            // events waiting for one policy
	queueBatch  = 64              // events handed over at once, as policy.Batcher has it
	queueDrain  = 5 * time.Second // how long a closing policy may take for them, and for what else it has begun

	// queueGather and queueHeap bound what gathers for an observer that has just been
	// handed something. The first event after a pause goes to it at once, what follows
	// within queueGather goes together: to wake the observer's goroutine for each command
	// costs switches of threads each time (SIZE by 16 sessions with three modules: 0.35 instead of
	// 0.1 voluntary ones a command; RETR of small files 79 us of the processor instead of 68).
	queueGather = 2 * time.Millisecond
	queueHeap   = 4 * queueBatch // and no more than that
)

// ring holds the newest events, up to queueLength, in order. Each add drops the
// oldest one when it is full. It is a ring under a lock that is held for a few
// nanoseconds: a producer waits for nothing else, and only the first event after
// a pause wakes anybody, or one that makes the heap full while events gather.
type ring struct {
	mu      sync.Mutex
	events  []*policy.Event // grows up to queueLength
	head, n int
	inHand  int // let out, and not settled yet
	counts  EventStatus
	closed  bool
	gathers bool          // the consumer comes by itself after queueGather
	wake    chan struct{} // holds one token when the consumer may have something to do
}

func newRing() *ring { return &ring{wake: make(chan struct{}, 1)} }

// add appends an event. After close it is dropped.
func (r *ring) add(e *policy.Event) {
	r.mu.Lock()
	r.counts.Added++
	if r.closed {
		r.counts.Dropped++
		r.mu.Unlock()
		return
	}
	switch {
	case r.n < len(r.events):
		r.events[(r.head+r.n)%len(r.events)] = e
		r.n++
	case r.n < queueLength:
		r.grow()
		r.events[r.n] = e
		r.n++
	default:
		r.events[r.head] = e
		r.head = (r.head + 1) % len(r.events)
		r.counts.Dropped++
	}
	due := r.n == 1
	if r.gathers {
		due = r.n == queueHeap
	}
	r.mu.Unlock()
	if due {
		r.signal()
	}
}

// grow doubles the ring and puts its oldest event first. The caller holds mu, and
// the ring is full.
func (r *ring) grow() {
	events := make([]*policy.Event, min(max(2*len(r.events), queueBatch), queueLength))
	n := copy(events, r.events[r.head:])
	copy(events[n:], r.events[:r.head])
	r.events, r.head = events, 0
}

// take moves the oldest events to batch and returns how many; done is true when
// nothing more will come.
func (r *ring) take(batch []*policy.Event) (n int, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(batch) && r.n > 0 {
		batch[n], r.events[r.head] = r.events[r.head], nil
		r.head = (r.head + 1) % len(r.events)
		r.n--
		n++
	}
	r.inHand += n
	return n, n == 0 && r.closed
}

// gather says whether the consumer, which has taken everything, comes by itself for
// what is added next. It reports whether there is nothing to come for yet.
func (r *ring) gather(on bool) (empty bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gathers = on
	if empty = r.n == 0 && !r.closed; empty && on {
		select {
		case <-r.wake: // for what was taken already
		default:
		}
	}
	return empty
}

// settle says what became of events that were taken: how many were delivered, lost,
// dropped or stored.
func (r *ring) settle(n EventStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Delivered += n.Delivered
	r.counts.Lost += n.Lost
	r.counts.Dropped += n.Dropped
	r.counts.Stored += n.Stored
	r.inHand -= int(n.Delivered + n.Lost + n.Dropped + n.Stored)
}

// delivered counts events that came from a spool.
func (r *ring) delivered(n int) {
	r.mu.Lock()
	r.counts.Delivered += uint64(n)
	r.mu.Unlock()
}

func (r *ring) status() EventStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.counts
	st.Queued = r.n + r.inHand
	return st
}

// close lets nothing more in.
func (r *ring) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.signal()
}

func (r *ring) signal() { signal(r.wake) }

// queue hands events to one observer, in order, off the sessions' path. When
// the observer falls behind, the oldest events are dropped and counted.
type queue struct {
	ring *ring
	stop context.CancelFunc
	done chan struct{}
}

func newQueue(m *module) *queue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &queue{ring: newRing(), stop: cancel, done: make(chan struct{})}
	size := 1
	if _, ok := m.hooks.Observer.(policy.Batcher); ok {
		size = queueBatch
	}
	go q.run(ctx, m, make([]*policy.Event, size))
	return q
}

func (q *queue) add(e *policy.Event) { q.ring.add(e) }

func (q *queue) status() EventStatus { return q.ring.status() }

// run hands events over until the queue is closed and empty.
func (q *queue) run(ctx context.Context, m *module, batch []*policy.Event) {
	defer close(q.done)
	for handed := false; ; {
		n, done := q.ring.take(batch)
		switch {
		case done:
			return
		case n > 0:
			q.hand(ctx, m, batch[:n])
			clear(batch)
			handed = true
		case handed:
			q.gather()
			handed = false
		default:
			<-q.ring.wake
		}
	}
}

// gather lets events gather for a moment, but not while the queue is closed.
func (q *queue) gather() {
	if q.ring.gather(true) {
		moment := time.NewTimer(queueGather)
		select {
		case <-moment.C:
		case <-q.ring.wake:
		}
		moment.Stop()
	}
	q.ring.gather(false)
}

// hand gives events to the module. One that fails costs the others nothing.
func (q *queue) hand(ctx context.Context, m *module, events []*policy.Event) {
	for len(events) > 0 {
		if ctx.Err() != nil {
			q.ring.settle(EventStatus{Dropped: uint64(len(events))})
			return
		}
		taken, _ := m.observe(ctx, events)
		lost := min(1, len(events)-taken)
		q.ring.settle(EventStatus{Delivered: uint64(taken), Lost: uint64(lost)})
		events = events[taken+lost:]
	}
}

// observe hands events to the module's observer, one by one or all at once, and
// returns how many it took.
func (m *module) observe(ctx context.Context, events []*policy.Event) (taken int, err error) {
	b, _ := m.hooks.Observer.(policy.Batcher)
	for taken < len(events) && err == nil {
		c, berr := m.begin(policy.StageEvent)
		if berr != nil {
			return taken, berr
		}
		n := 0
		session := events[taken].Session.ID
		err = m.ending.guard(func() (err error) {
			n, err = m.hand(ctx, b, events[taken:])
			return err
		})
		failed := err
		if later := (*policy.Later)(nil); errors.As(err, &later) {
			failed = nil // it works, and only cannot now
		}
		m.end(ctx, policy.StageEvent, c, session, policy.Pass, failed)
		taken += n
	}
	return taken, err
}

// hand hands all events to an observer of batches, or the first one to any other.
func (m *module) hand(ctx context.Context, b policy.Batcher, events []*policy.Event) (n int, err error) {
	if b == nil {
		if err = m.hooks.Observer.Observe(ctx, events[0]); err != nil {
			return 0, err
		}
		return 1, nil
	}
	n, err = b.ObserveAll(ctx, events)
	if n = min(max(n, 0), len(events)); err == nil && n == 0 {
		err = errTookNone
	}
	return n, err
}

// leave ends the queue after what waits in it was handed over. Nobody may add any
// more.
func (q *queue) leave(_ *module, e *ending) bool {
	q.ring.close()
	defer q.stop()
	return e.await(q.done, q.stop)
}

// EventStatus counts the events of one policy. At every moment Added is the sum of
// Delivered, Lost, Dropped and Queued; with a spool, of Stored, Dropped and Queued.
type EventStatus struct {
	Added     uint64 // that were of interest
	Delivered uint64 // that the observer took; with a spool also those of earlier
	Lost      uint64 // by calls that failed, or while the breaker was open
	Dropped   uint64 // as the observer or the disk fell behind, or closing took too long
	Stored    uint64 // that were written to the spool
	Waiting   uint64 // in the spool, those of earlier runs too
	Gone      uint64 // from the spool since it was made: there was no room, or the disk lost them
	Queued    int    // that wait in memory, or are being handed over
}
