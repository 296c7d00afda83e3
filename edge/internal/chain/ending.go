package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// endGrace is how long a call that was told to end may take to come back. When the chain
// is to end at once, it is also how long what waits may take before calls are told to.
const endGrace = 150 * time.Millisecond

// ErrLeft says that calls of policies did not come back, and were left behind: what
// waited for them is lost, and the policies were not closed.
var ErrLeft = errors.New("policies did not come back from a call and were left behind")

// ending bounds the end of what calls policies: native code may stay in a call for ever,
// and the process must end all the same.
type ending struct {
	log      *slog.Logger
	panicked func(any)

	once sync.Once
	now  chan struct{} // closed when everything is to end at once
	stop chan struct{} // closed endGrace later: calls are told to
	over chan struct{} // closed endGrace after that
	left atomic.Int64  // calls that did not come back
}

func newEnding(conf *Config) *ending {
	return &ending{log: conf.Log, panicked: conf.Panicked, now: make(chan struct{}), stop: make(chan struct{}), over: make(chan struct{})}
}

// hurry has everything end at once.
func (e *ending) hurry() {
	e.once.Do(func() {
		close(e.now)
		time.AfterFunc(endGrace, func() { close(e.stop) })
		time.AfterFunc(2*endGrace, func() { close(e.over) })
	})
}

// await waits until done is closed, and reports whether it was: after queueDrain, or
// endGrace after everything was to end, it calls stop, and then waits a little more.
func (e *ending) await(done <-chan struct{}, stop func()) bool {
	drain := time.NewTimer(queueDrain)
	defer drain.Stop()
	select {
	case <-done:
		return true
	case <-drain.C:
	case <-e.stop:
	}
	stop()
	grace := time.NewTimer(endGrace)
	defer grace.Stop()
	select {
	case <-done:
		return true
	case <-grace.C:
	case <-e.over:
	}
	select {
	case <-done: // at the same moment
		return true
	default:
	}
	return false
}

// leave notes that a policy is left behind in a call.
func (e *ending) leave(policy, what string) {
	e.left.Add(1)
	e.log.Error("a policy did not come back and was left behind: what waited for it is lost, and it is not closed", "policy", policy, "call", what)
}

// close calls the policy's Close.
func (e *ending) close(name string, closing func() error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.guard(closing); err != nil {
			e.log.Warn("a policy could not be closed", "policy", name, "error", err)
		}
	}()
	if !e.await(done, func() {}) {
		e.leave(name, "Close")
	}
}

// guard calls native code outside of any session: its panic is told, and an error.
func (e *ending) guard(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e.tell(p)
			err = errPanicked
		}
	}()
	return call()
}

// errPanicked is the failure of a policy that panicked where no session ends by it.
var errPanicked = errors.New("the policy panicked")

// tell tells of a panic, in the function that has recovered it.
func (e *ending) tell(p any) {
	if e.panicked != nil {
		e.panicked(p)
	}
}

// CloseWithin is Close, but for calls that do not come back: some seconds after they were
// told to end, and shortly after the end of ctx, they are left behind, and the error is
// ErrLeft.
func (c *Chain) CloseWithin(ctx context.Context) error {
	stop := context.AfterFunc(ctx, c.end.hurry)
	defer stop()
	c.begin()
	c.concluding.Do(func() { go c.conclude() })
	<-c.concluded
	if n := c.end.left.Load(); n > 0 {
		return fmt.Errorf("%w (%d)", ErrLeft, n)
	}
	return nil
}

// conclude waits for the end of everything, and of waiting.
func (c *Chain) conclude() {
	defer close(c.concluded)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.living.Wait()
	}()
	select {
	case <-done:
		return
	case <-c.end.now:
	}
	// A question that does not come back holds its generation, but not the events of it.
	f := c.front.Load()
	for _, g := range []*generation{f.main, f.canary} {
		if g == nil {
			continue
		}
		for _, m := range g.modules {
			go m.settle(c.end)
		}
	}
	select {
	case <-done:
		return
	case <-c.end.over:
	}
	select {
	case <-done:
	case <-time.After(endGrace / 2): // for those that have seen over, and say so
		c.end.left.Add(1)
	}
}
