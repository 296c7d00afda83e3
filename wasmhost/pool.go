package wasmhost

import (
	"context"
	"errors"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// errClosed is the error of a call of a closed policy.
var errClosed = errors.New("the policy is closed")

// errBusy is the error of a call that found no instance in time.
var errBusy = errors.New("all instances were busy until the deadline")

// pool keeps the instances of one policy: at most size at a time, the one that was
// used last on top, because its memory is still in the processor's caches. It
// grows with the number of calls at one moment, not with the number of sessions.
// A plain list under a lock can be counted, bounded and emptied, and costs a call
// two short locks.
type pool struct {
	mu      sync.Mutex
	size    int
	free    []*instance
	used    int                        // places taken: by calls, and by instances that are being made
	waiting []chan handout             // calls that wait for a place, the oldest first
	waits   uint64                     // calls that had to wait
	waited  atomic.Int64               // nanoseconds for which they have
	lengths [WaitBuckets]atomic.Uint64 // of the waits that are over; see Stats.WaitTimes
	closed  bool
	empty   chan struct{} // closed when the pool is closed and no place is taken
}

// handout is what a waiting call gets: an instance, or only the right to make one.
type handout struct {
	in  *instance
	err error
}

func newPool(size int) *pool { return &pool{size: size, empty: make(chan struct{})} }

// quick takes a place if one is free, with an instance, or nil if one must be made.
func (p *pool) quick() (in *instance, ok bool) {
	p.mu.Lock()
	if ok = !p.closed && p.used < p.size; ok {
		p.used++
		in = p.pop()
	}
	p.mu.Unlock()
	return in, ok
}

// take is quick for a call that can wait, at most for limit and as long as ctx
// lasts. After an error nothing is taken.
func (p *pool) take(ctx context.Context, limit time.Duration) (*instance, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	if p.used < p.size {
		p.used++
		in := p.pop()
		p.mu.Unlock()
		return in, nil
	}
	ch := make(chan handout, 1)
	p.waiting = append(p.waiting, ch)
	p.waits++
	p.mu.Unlock()
	return p.wait(ctx, limit, ch)
}

func (p *pool) wait(ctx context.Context, limit time.Duration, ch chan handout) (*instance, error) {
	began := time.Now()
	defer func() { p.hasWaited(time.Since(began)) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var err error
	select {
	case h := <-ch:
		return h.in, h.err
	case <-timer.C:
		err = errBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	for i, w := range p.waiting {
		if w == ch {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			p.mu.Unlock()
			return nil, err
		}
	}
	p.mu.Unlock()
	// It was served at the last moment: take it after all.
	h := <-ch
	return h.in, h.err
}

// hasWaited counts a wait that is over.
func (p *pool) hasWaited(d time.Duration) {
	p.waited.Add(int64(d))
	p.lengths[min(max(bits.Len64(uint64(max(d, 0)))-6, 0), WaitBuckets-1)].Add(1)
}

// pop returns the instance on top, nil if there is none. The caller holds mu.
func (p *pool) pop() *instance {
	n := len(p.free)
	if n == 0 {
		return nil
	}
	in := p.free[n-1]
	p.free[n-1] = nil
	p.free = p.free[:n-1]
	return in
}

// give gives a place back, and with it the instance, unless it was closed (nil).
func (p *pool) give(in *instance) {
	p.mu.Lock()
	switch {
	case len(p.waiting) > 0 && !p.closed:
		ch := p.waiting[0]
		p.waiting = append(p.waiting[:0], p.waiting[1:]...)
		if in == nil {
			in = p.pop()
		}
		ch <- handout{in: in}
	default:
		if in != nil {
			p.free = append(p.free, in)
		}
		p.used--
		p.settle()
	}
	p.mu.Unlock()
}

// settle tells that a closed pool is at rest. The caller holds mu.
func (p *pool) settle() {
	if p.closed && p.used == 0 {
		close(p.empty)
	}
}

// add puts an instance in that nobody has asked for yet.
func (p *pool) add(in *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, in)
}

// counts returns the free instances, the places taken and the calls that had to
// wait so far.
func (p *pool) counts() (free, used int, waits uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free), p.used, p.waits
}

// memory returns the bytes of the free instances' memories.
func (p *pool) memory() (n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.free {
		n += uint64(in.mem.Size())
	}
	return n
}

// drain ends the pool: it waits for the calls that run, then returns the
// instances. Later calls, and those that wait for a place, fail. It is called
// once.
func (p *pool) drain() []*instance {
	p.mu.Lock()
	p.closed = true
	for _, ch := range p.waiting {
		ch <- handout{err: errClosed}
	}
	p.waiting = nil
	p.settle()
	p.mu.Unlock()
	<-p.empty
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.free
	p.free = nil
	return all
}
