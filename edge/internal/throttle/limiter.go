package throttle

import (
	"context"
	"time"
)

// Limiter is the chain of buckets that one transfer is under: its own, then its
// session's, its user's and the server's. The zero value and nil do not limit. A
// Limiter is safe for concurrent use.
type Limiter struct {
	chain []*Bucket
}

// NewLimiter returns a Limiter under buckets, given narrowest first. Nil buckets
// are left out.
func NewLimiter(buckets ...*Bucket) *Limiter {
	l := &Limiter{chain: make([]*Bucket, 0, len(buckets))}
	for _, b := range buckets {
		if b != nil {
			l.chain = append(l.chain, b)
		}
	}
	return l
}

// Slice returns how many bytes to move before the next Wait: 20 ms of the
// narrowest limit, shared with the transfers that wait for it at this moment, at
// most 256 KiB and at least 512 bytes. Where nothing limits it is 1 MiB.
func (l *Limiter) Slice() int {
	if l == nil {
		return freeSlice
	}
	narrowest := uint64(0)
	for _, b := range l.chain {
		if s := b.share(); s > 0 && (narrowest == 0 || s < narrowest) {
			narrowest = s
		}
	}
	if narrowest == 0 {
		return freeSlice
	}
	return int(min(maxSlice, max(minSlice, narrowest)))
}

// Wait debits n bytes in every bucket of the chain and returns when all of them
// have been paid for. It may be called before the bytes move or after; either
// way no more than one piece is ahead of the limit.
//
// It returns the cause of ctx when ctx ends first, or has ended already; the
// bytes stay debited. Otherwise the error is nil. A negative n counts as 0.
func (l *Limiter) Wait(ctx context.Context, n int) error {
	if l == nil {
		return context.Cause(ctx)
	}
	n = max(0, n)
	var room [4]uint64
	marks := room[:0]
	for _, b := range l.chain {
		marks = append(marks, b.debit(n))
	}
	// One bucket after another: while the first is waited for, time pays in the
	// others as well.
	for i, b := range l.chain {
		if err := wait(ctx, b, marks[i]); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// wait returns when b is paid up to mark, or when ctx ends.
func wait(ctx context.Context, b *Bucket, mark uint64) error {
	d, changed := b.due(mark)
	if d == 0 {
		return nil
	}
	b.queue(+1)
	defer b.queue(-1)
	timer := time.NewTimer(d)
	defer timer.Stop()
	for d > 0 {
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if d, changed = b.due(mark); d > 0 {
			timer.Reset(d)
		}
	}
	return nil
}
