package chain

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Spool keeps the events of one slot on a disk, in order, until they were handed
// over; those of an earlier run of the server come first. What Next returned and
// Done did not count is handed over again after a crash. Only Counts is called by
// more than one goroutine.
type Spool interface {
	// Append stores events behind those that wait, and returns how many before an
	// error.
	Append(events []*policy.Event) (stored int, err error)
	// Next returns up to limit of the oldest events that wait, empty when none do.
	Next(limit int) ([]*policy.Event, error)
	// Done forgets the n oldest.
	Done(n int) error
	// Counts returns how many events wait, and how many were given up in its life,
	// as there was no room or the disk lost them.
	Counts() (waiting, gone uint64)
	Close() error
}

// Shared is a [Spool] into which others can leave events.
type Shared interface {
	// Again is in what time Next is to be called though nothing was appended; 0: only then.
	Again() time.Duration
}

const (
	retryFirst = time.Second // until events that were not taken are handed over again
	retryMost  = time.Minute
)

// courier moves a slot's events from its sessions to the spool, and from there to
// the policy in the slot. It outlives the slot's policies. An event that a policy
// fails to take is handed over again until it is taken; meanwhile the spool fills.
type courier struct {
	ring  *ring
	spool Spool
	log   *slog.Logger
	done  chan struct{}

	work      sync.Mutex // held while the spool is used, and not while a policy is called
	abandoned bool       // the spool is not the courier's any more

	mu    sync.Mutex
	users int // modules, and one for the slot
	owner *module
	busy  *handover // that runs now
}

// handover is one call of a module's observer.
type handover struct {
	to   *module
	stop context.CancelFunc
	done chan struct{}
}

func newCourier(s Spool, log *slog.Logger) *courier {
	k := &courier{ring: newRing(), spool: s, log: log, done: make(chan struct{}), users: 1}
	go k.run()
	return k
}

func (k *courier) add(e *policy.Event) { k.ring.add(e) }

func (k *courier) status() EventStatus {
	st := k.ring.status()
	st.Waiting, st.Gone = k.spool.Counts()
	return st
}

// join counts one more module that adds events.
func (k *courier) join() {
	k.mu.Lock()
	k.users++
	k.mu.Unlock()
}

// own makes m the one that is handed events.
func (k *courier) own(m *module) {
	k.mu.Lock()
	k.owner = m
	k.mu.Unlock()
	k.ring.signal()
}

// leave takes a module away, or the slot itself for nil. When it returns true, m is
// handed nothing any more; a call that takes too long is told to end. With the last
// user the courier ends: what waits is in the spool then.
func (k *courier) leave(m *module, e *ending) bool {
	k.mu.Lock()
	k.users--
	last := k.users == 0
	if m != nil && k.owner == m {
		k.owner = nil
	}
	busy := k.busy
	k.mu.Unlock()
	whole := m == nil || busy == nil || busy.to != m || e.await(busy.done, busy.stop)
	if !last {
		return whole
	}
	k.ring.close()
	if !e.await(k.done, k.stopCall) {
		k.abandon()
	}
	if err := k.spool.Close(); err != nil {
		k.log.Error("what events are stored in could not be closed", "error", err)
	}
	return whole
}

// stopCall tells the call that runs to end.
func (k *courier) stopCall() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.busy != nil {
		k.busy.stop()
	}
}

// abandon takes the spool away from a courier that stays in a call, and stores what
// waits for it.
func (k *courier) abandon() {
	k.work.Lock()
	defer k.work.Unlock()
	k.abandoned = true
	batch := make([]*policy.Event, queueBatch)
	for {
		n, _ := k.ring.take(batch)
		if n == 0 {
			return
		}
		k.store(batch[:n])
	}
}

// run stores first and hands over then, until the last user has left.
func (k *courier) run() {
	defer close(k.done)
	k.work.Lock()
	defer k.work.Unlock()
	batch := make([]*policy.Event, queueBatch)
	var pause time.Duration // that the next failure causes
	var retry <-chan time.Time
	for !k.abandoned {
		n, done := k.ring.take(batch)
		if n > 0 {
			k.store(batch[:n])
			clear(batch)
		}
		if done {
			return
		}
		more := false
		if retry == nil {
			var err error
			if more, err = k.hand(); err != nil {
				pause = min(max(2*pause, retryFirst), retryMost)
				retry = time.After(pause)
			} else {
				pause = 0
				if d := again(k.spool); d > 0 && !more {
					retry = time.After(d)
				}
			}
		}
		if n > 0 || more {
			continue
		}
		k.work.Unlock()
		select {
		case <-k.ring.wake:
		case <-retry:
			retry = nil
		}
		k.work.Lock()
	}
}

func again(s Spool) time.Duration {
	if shared, ok := s.(Shared); ok {
		return shared.Again()
	}
	return 0
}

func (k *courier) store(events []*policy.Event) {
	n, err := k.spool.Append(events)
	if err != nil {
		k.log.Error("events could not be stored and are lost", "events", len(events)-n, "error", err)
	}
	k.ring.settle(EventStatus{Stored: uint64(n), Dropped: uint64(len(events) - n)})
}

// begin returns the call that is to be made, nil where nobody is to be called.
func (k *courier) begin() (*handover, context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owner == nil {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.busy = &handover{to: k.owner, stop: cancel, done: make(chan struct{})}
	return k.busy, ctx
}

func (k *courier) end(h *handover) {
	k.mu.Lock()
	k.busy = nil
	k.mu.Unlock()
	h.stop()
	close(h.done)
}

// hand gives the oldest events to the owner and reports whether there may be more.
func (k *courier) hand() (more bool, err error) {
	h, ctx := k.begin()
	if h == nil {
		return false, nil
	}
	defer k.end(h)
	events, err := k.spool.Next(queueBatch)
	if err != nil {
		k.log.Error("stored events could not be read", "policy", h.to.name, "error", err)
		return false, err
	}
	if len(events) == 0 {
		return false, nil
	}
	k.work.Unlock()
	taken, err := h.to.observe(ctx, events)
	k.work.Lock()
	if taken > 0 && !k.abandoned {
		k.ring.delivered(taken)
		if derr := k.spool.Done(taken); derr != nil {
			k.log.Error("events that were handed over could not be forgotten", "policy", h.to.name, "error", derr)
			return false, derr
		}
	}
	return err == nil && !k.abandoned, err
}
