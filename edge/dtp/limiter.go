package dtp

import (
	"context"
	"time"
)

// Limiter keeps a transfer within its rate. Nothing is put around the file or the
// socket: a transfer moves one piece, by whatever means is fastest, and then tells
// the limiter how many bytes went over the wire. One transfer calls it from one
// goroutine at a time; a limiter that several transfers share must allow for that.
type Limiter interface {
	// Slice returns how many bytes may move before the next Wait. Less than 1
	// counts as 1.
	Slice() int
	// Wait takes n bytes and returns when they are paid for, or with the cause of
	// ctx when that ends first. Before the first piece n is 0: that waits for what
	// other transfers owe. The time it takes is never held for a stall of the
	// client's. Any error ends the transfer with it.
	Wait(ctx context.Context, n int) error
}

// Doner is a [Limiter] that wants to know that the transfer has ended.
type Doner interface{ Done() }

// Spreader is a [Limiter] that permits larger slices where the kernel sends evenly what
// it is given.
type Spreader interface {
	// Spread takes the place of Slice. It returns how many bytes may be given to the
	// kernel before the next Wait, and at how many bytes per second it has to send them;
	// if that is 0, as fast as it can.
	Spread() (n int, rate int64)
}

// slice is how many bytes may move before the next wait.
func (m *mover) slice() int {
	if m.Limiter == nil {
		return freeSlice
	}
	if n, ok := m.large(); ok {
		return max(1, n)
	}
	return max(1, m.Limiter.Slice())
}

// wait lets the throttle have its time for n bytes, which is not the client's
// fault.
func (m *mover) wait(n int64) error {
	if m.Limiter == nil {
		return context.Cause(m.ctx)
	}
	var began time.Time
	if m.Tally != nil {
		began = time.Now()
	}
	err := m.Limiter.Wait(m.ctx, int(n))
	m.alive()
	m.Tally.wait(m.direction(), m.last.Sub(began))
	return err
}

// pay waits for what was taken from the client since the last time.
func (m *mover) pay() error {
	n := m.owed
	if m.owed = 0; n == 0 {
		return nil
	}
	return m.wait(n)
}
