package throttle

import (
	"context"
	"sync/atomic"
	"time"
)

// Limiter is the chain of buckets that one transfer is under: its own, then its
// session's, its user's, its listener's and the server's. The zero value and nil do
// not limit. A Limiter is safe for concurrent use, but transfers that use the same
// one count as one transfer. It must not be copied.
type Limiter struct {
	chain  []link
	slice  atomic.Int64 // the whole slice, 0 if nothing limits
	spread atomic.Int64 // the rate at which the kernel spreads the slice, 0 if it does not
	since  atomic.Int64 // when it began, in nanoseconds, if the kernel spreads it
	used   atomic.Int64 // bytes of it that have moved since the last wait; -1 before the first
	timer  atomic.Pointer[time.Timer]
}

// NewLimiter returns a Limiter under buckets, given narrowest first. Nil buckets
// are left out.
func NewLimiter(buckets ...*Bucket) *Limiter {
	n := 0
	for _, b := range buckets {
		if b != nil {
			n++
		}
	}
	l := &Limiter{chain: make([]link, n)}
	l.used.Store(-1)
	n = 0
	for _, b := range buckets {
		if b != nil {
			l.chain[n].Bucket = b
			l.chain[n].seen.Store(unasked)
			n++
		}
	}
	return l
}

// Slice returns how many bytes to move before the next Wait: 10 ms of the narrowest
// limit, shared with the other active transfers under it, at most 256 KiB and at
// least 512 bytes; less if a part of it has moved already. Where nothing limits it is
// 1 MiB, and no lock is taken.
func (l *Limiter) Slice() int {
	if l == nil {
		return freeSlice
	}
	if l.spread.Load() != 0 {
		l.spread.Store(0)
	}
	narrowest := uint64(0)
	for i := range l.chain {
		if s := l.chain[i].share(); s > 0 && (narrowest == 0 || s < narrowest) {
			narrowest = s
		}
	}
	if narrowest == 0 {
		if l.slice.Load() != 0 {
			l.slice.Store(0)
		}
		return freeSlice
	}
	l.slice.Store(int64(min(maxSlice, max(minSlice, narrowest))))
	return l.left()
}

// Wait debits n bytes in every bucket of the chain and returns when all of them
// have been paid for. It may be called before the bytes move or after; either way
// no more than one slice is ahead of the limit. When a transfer moves its slice in
// parts, only the part that completes it is waited for. Bytes that were granted by
// Slice under a higher limit cost no more time than they would have.
//
// Wait(ctx, 0) waits until what other transfers under the same limits have moved is
// paid for, as a transfer should before its first piece: otherwise many short ones
// would be free.
//
// It returns the cause of ctx when ctx ends first, or has ended already; the
// bytes stay debited. Otherwise the error is nil. A negative n counts as 0. Where
// nothing limits, no lock is taken.
func (l *Limiter) Wait(ctx context.Context, n int) error {
	if l == nil || len(l.chain) == 0 {
		return ended(ctx)
	}
	var room [6]due
	dues, wait := l.debit(room[:0], max(0, n))
	if !wait {
		return ended(ctx)
	}
	return l.wait(ctx, dues)
}

// Rate returns the narrowest limit of the chain in bytes per second, 0 if nothing limits.
func (l *Limiter) Rate() int64 {
	if l == nil {
		return 0
	}
	narrowest := int64(0)
	for i := range l.chain {
		if r := l.chain[i].Rate(); r > 0 && (narrowest == 0 || r < narrowest) {
			narrowest = r
		}
	}
	return narrowest
}

// Done says that the transfer has ended, so that the others have its share at once and
// not only after half a second. The Limiter may be used again.
func (l *Limiter) Done() {
	if l == nil {
		return
	}
	for i := range l.chain {
		l.chain[i].leave()
	}
	l.used.Store(-1)
}

// debit takes n bytes in every bucket, appends what is due there, and reports
// whether to wait for it.
func (l *Limiter) debit(dues []due, n int) (_ []due, wait bool) {
	spread := l.spread.Load() != 0
	for i := range l.chain {
		var d due
		d.mark, d.in = l.chain[i].debit(uint64(n), spread)
		dues = append(dues, d)
		wait = wait || d.in > 0
	}
	if n > 0 && l.more(int64(n)) {
		wait = false
	}
	return dues, wait
}

// more takes n bytes of the slice and reports whether enough of it is left to move
// another part before the next wait.
func (l *Limiter) more(n int64) bool {
	before, whole := l.used.Load(), l.slice.Load()
	if before >= 0 && before+n < whole-whole/8 {
		l.used.Store(before + n)
		return true
	}
	if before != 0 {
		l.used.Store(0)
	}
	return false
}

// due is what a limiter waits for at one bucket.
type due struct {
	mark mark
	in   time.Duration // how long it takes, as was last known
	held bool
}

// wait returns when every bucket is paid up to its mark, or when ctx ends. All of
// them are waited for at once, so that each knows it when the wake-up is late.
func (l *Limiter) wait(ctx context.Context, dues []due) error {
	timer := l.timer.Swap(nil)
	if timer == nil {
		timer = time.NewTimer(time.Hour)
	}
	defer func() {
		timer.Stop()
		l.timer.Store(timer)
	}()
	for {
		d, changed := l.hold(dues)
		if d == 0 {
			return ended(ctx)
		}
		timer.Reset(whole(d))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		l.ask(dues)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// hold returns how long to wait until ask, 0 if everything is paid, and what tells of
// a change of the rate meanwhile. The buckets that are due at about the same time as
// the last of them are held.
func (l *Limiter) hold(dues []due) (d time.Duration, changed <-chan struct{}) {
	last := 0
	for i := range dues {
		if dues[i].in > dues[last].in {
			last = i
		}
	}
	longest := dues[last].in
	if longest == 0 {
		return 0, nil
	}
	for i := range dues {
		d := &dues[i]
		if d.in == 0 || d.in+turnTime < longest {
			continue
		}
		var c <-chan struct{}
		d.held = true
		if d.in, c = l.chain[i].hold(d.mark); i == last {
			changed = c
		}
	}
	return max(1, dues[last].in), changed
}

// ask brings the dues up to date.
func (l *Limiter) ask(dues []due) {
	for i := range dues {
		switch d := &dues[i]; {
		case d.held:
			d.held, d.in = false, l.chain[i].release(d.mark)
		case d.in > 0:
			d.in = l.chain[i].ask(d.mark)
		}
	}
}

// ended returns the cause of ctx if ctx has ended.
func ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
