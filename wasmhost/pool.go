package wasmhost

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// errClosed is the error of a call of a closed policy.
var errClosed = errors.New("the policy is closed")

// pool keeps the instances of one policy: at most cap at a time, the one that was
// used last on top, because its memory is still in the processor's caches. It
// grows with the number of calls at one moment, not with the number of sessions.
type pool struct {
	slots  chan struct{} // a token for each instance that is in use
	mu     sync.Mutex
	free   []*instance
	closed atomic.Bool
}

func newPool(size int) *pool { return &pool{slots: make(chan struct{}, size)} }

// reserve waits for the right to use an instance, at most for limit and as long
// as ctx lasts.
func (p *pool) reserve(ctx context.Context, limit time.Duration) error {
	select {
	case p.slots <- struct{}{}:
	default:
		if err := p.queue(ctx, limit); err != nil {
			return err
		}
	}
	if p.closed.Load() {
		p.release()
		return errClosed
	}
	return nil
}

func (p *pool) queue(ctx context.Context, limit time.Duration) error {
	if p.closed.Load() {
		return errClosed
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return errors.New("all instances were busy until the deadline")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) release() { <-p.slots }

// take returns a free instance, nil if one must be made.
func (p *pool) take() *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return nil
	}
	in := p.free[n-1]
	p.free[n-1] = nil
	p.free = p.free[:n-1]
	return in
}

func (p *pool) put(in *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, in)
}

func (p *pool) idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free)
}

// drain ends the pool: it waits for the calls that run, then returns the
// instances. Later calls fail.
func (p *pool) drain() []*instance {
	p.closed.Store(true)
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.free
	p.free = nil
	// Give the tokens back: a call that still waits for one sees that the pool is
	// closed instead of running into its deadline.
	for range cap(p.slots) {
		<-p.slots
	}
	return all
}
