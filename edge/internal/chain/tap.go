package chain

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/edge/policy"
)

const (
	tapChunks = 64   // chunks with bytes that wait for one policy: 4 MiB
	tapEnds   = 8192 // ends of transfers that wait for one policy
)

// tap hands copies of bytes to one policy that only listens, in order, off the
// transfers' path. What the policy is too slow for is dropped and counted: it sees
// a gap between two offsets.
type tap struct {
	stop    context.CancelFunc
	done    chan struct{}
	more    chan struct{} // has room for one: something waits
	dropped atomic.Uint64 // chunks

	mu     sync.Mutex
	items  []tapItem
	chunks int // of the items, those with bytes
	closed bool
	room   sync.Pool // of *[]byte, MaxChunk each
}

// tapped is one transfer that a policy listens to.
type tapped struct {
	told  bool   // the end was put in; of the transfer's goroutine
	carry []byte // of the worker
}

type tapItem struct {
	chunk *policy.Chunk
	of    *tapped
	room  *[]byte // what the chunk's bytes lie in, nil for none
}

func newTap(m *module) *tap {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tap{stop: cancel, done: make(chan struct{}), more: make(chan struct{}, 1)}
	go func() {
		defer close(t.done)
		for range t.more {
			t.drain(ctx, m)
		}
		t.drain(ctx, m)
	}()
	return t
}

// drain hands over what waits.
func (t *tap) drain(ctx context.Context, m *module) {
	for {
		t.mu.Lock()
		items := t.items
		if len(items) == 0 {
			t.mu.Unlock()
			return
		}
		it := items[0]
		items[0] = tapItem{}
		if t.items = items[1:]; len(t.items) == 0 {
			t.items = nil
		}
		if it.room != nil {
			t.chunks--
		}
		t.mu.Unlock()
		t.hand(ctx, m, it)
	}
}

// hand gives one chunk to the policy.
func (t *tap) hand(ctx context.Context, m *module, it tapItem) {
	if ctx.Err() != nil {
		t.dropped.Add(1)
		return
	}
	it.chunk.Carry = it.of.carry
	var made policy.Piece
	err := m.ending.guard(func() (err error) {
		made, err = m.hooks.Filter.Filter(ctx, it.chunk)
		return err
	})
	failed := err != nil || len(made.Carry) > policy.MaxCarry
	m.meters[policy.StageData].count(policy.Pass, failed, false)
	switch {
	case failed:
	case made.Carry == nil:
		it.of.carry = nil
	default:
		it.of.carry = append(it.of.carry[:0], made.Carry...)
	}
	if it.room != nil {
		t.room.Put(it.room)
	}
}

// add takes a copy of a chunk, or drops it. The end of a transfer is told even if
// its last bytes have to be dropped.
func (t *tap) add(q *policy.Chunk, of *tapped) {
	of.told = of.told || q.Last
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	it := tapItem{chunk: q, of: of}
	switch {
	case len(q.Data) > 0 && t.chunks < tapChunks:
		var ok bool
		if it.room, ok = t.room.Get().(*[]byte); !ok {
			b := make([]byte, policy.MaxChunk)
			it.room = &b
		}
		t.chunks++
		q.Data = (*it.room)[:copy(*it.room, q.Data)]
	case len(q.Data) > 0:
		t.dropped.Add(1)
		q.Data = nil
	}
	if it.room == nil && (!q.Last || len(t.items)-t.chunks >= tapEnds) {
		return
	}
	t.items = append(t.items, it)
	select {
	case t.more <- struct{}{}:
	default:
	}
}

// close ends the tap after what waits in it was handed over, for a bounded time, and
// reports whether the policy came back.
func (t *tap) close(e *ending) bool {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	close(t.more)
	defer t.stop()
	return e.await(t.done, t.stop)
}
