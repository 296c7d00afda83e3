package chain

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Spool keeps the events of one slot on a disk, in order, until they were handed
// over; those of an earlier run of the server come first. What Next returned and
// Done did not count is handed over again after a crash. Append, and Counts, may be called
// while Next or Done are.
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
//
// Who stores waits for no policy: a process that is killed while one is slow has its
// events on the disk.
type courier struct {
	ring   *ring
	spool  Spool
	log    *slog.Logger
	more   chan struct{} // holds one token when there is more in the spool
	fresh  chan struct{} // holds one token when there is another owner
	quit   chan struct{} // closed with the last user
	stored chan struct{} // closed when everything is in the spool, and nothing more comes
	handed chan struct{} // closed when nothing is handed over any more

	work      sync.Mutex // held while the spool is read, and not while a policy is called
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
	k := &courier{ring: newRing(), spool: s, log: log, more: make(chan struct{}, 1), fresh: make(chan struct{}, 1),
		quit: make(chan struct{}), stored: make(chan struct{}), handed: make(chan struct{}), users: 1}
	go k.keep()
	go k.deliver()
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

// own makes m the one that is handed events, from now on: what the one before it had to
// wait for need not hold it up.
func (k *courier) own(m *module) {
	k.mu.Lock()
	k.owner = m
	signal(k.fresh)
	k.mu.Unlock()
}

// signal leaves a token in a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
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
	close(k.quit)
	e.await(k.stored, func() {})
	if !e.await(k.handed, k.stopCall) {
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

// abandon takes the spool away from a courier that stays in a call.
func (k *courier) abandon() {
	k.work.Lock()
	k.abandoned = true
	k.work.Unlock()
}

// keep stores events as they come, until the last user has left.
func (k *courier) keep() {
	defer close(k.stored)
	batch := make([]*policy.Event, queueBatch)
	for {
		n, done := k.ring.take(batch)
		switch {
		case done:
			return
		case n == 0:
			<-k.ring.wake
			continue
		}
		k.store(batch[:n])
		clear(batch)
		signal(k.more)
	}
}

// deliver hands over what is stored, until the last user has left.
func (k *courier) deliver() {
	defer close(k.handed)
	for pause := time.Duration(0); ; {
		more, err := k.hand()
		ready, retry := k.more, (<-chan time.Time)(nil)
		if err == nil {
			pause = 0
			if d := again(k.spool); d > 0 {
				retry = time.After(d)
			}
		} else {
			pause = min(max(2*pause, retryFirst), retryMost)
			ready, retry = nil, time.After(waitFor(err, pause))
		}
		if more {
			signal(k.more)
		}
		select {
		case <-k.quit:
			return
		default:
		}
		select {
		case <-ready:
		case <-retry:
		case <-k.fresh:
			pause = 0
		case <-k.quit:
			return
		}
	}
}

// waitFor is the time after an error until events are handed over again: what the policy
// has asked for, or else usual.
func waitFor(err error, usual time.Duration) time.Duration {
	if later := (*policy.Later)(nil); errors.As(err, &later) && later.After > 0 {
		return later.After
	}
	return usual
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
	select {
	case <-k.fresh: // it is the one that is called
	default:
	}
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
	events, err := k.oldest()
	if err != nil {
		k.log.Error("stored events could not be read", "policy", h.to.name, "error", err)
		return false, err
	}
	if len(events) == 0 {
		return false, nil
	}
	taken, err := h.to.observe(ctx, events)
	if ferr := k.forget(taken); ferr != nil {
		k.log.Error("events that were handed over could not be forgotten", "policy", h.to.name, "error", ferr)
		return false, ferr
	}
	return err == nil, err
}

// oldest reads what is to be handed over next.
func (k *courier) oldest() ([]*policy.Event, error) {
	k.work.Lock()
	defer k.work.Unlock()
	if k.abandoned {
		return nil, nil
	}
	return k.spool.Next(queueBatch)
}

// forget takes n events that were handed over out of the spool.
func (k *courier) forget(n int) error {
	k.work.Lock()
	defer k.work.Unlock()
	if n == 0 || k.abandoned {
		return nil
	}
	k.ring.delivered(n)
	return k.spool.Done(n)
}
