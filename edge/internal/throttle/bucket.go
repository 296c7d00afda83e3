// Package throttle keeps transfers within their rates: token buckets, each a
// limit that several transfers may share, and chains of them, narrowest first.
//
// Nothing here wraps a file or a socket. A transfer moves one piece, of at most
// [Limiter.Slice] bytes, by whatever means is fastest (sendfile, splice), and
// then calls [Limiter.Wait] with the number of bytes that went over the wire.
package throttle

import (
	"math/bits"
	"sync"
	"time"
)

const (
	// sliceTime is how much of a limit moves in one piece. Twenty milliseconds
	// keep every tenth of a second even, and cost fifty wake-ups a second.
	sliceTime = 20 * time.Millisecond
	// idleTime is the pause after which a bucket forgets the credit of a late
	// wake-up, so that a new transfer begins within its limit.
	idleTime = time.Second

	minSlice  = 512
	maxSlice  = 256 << 10
	freeSlice = 1 << 20 // where nothing limits
)

// Bucket is one limit in bytes per second, shared by every [Limiter] that has it
// in its chain. The rate may be changed while transfers run. The zero value does
// not limit. A Bucket is safe for concurrent use and must not be copied.
//
// It counts the bytes debited and the bytes paid for by the passing of time; a
// transfer waits until everything debited up to its own piece is paid. What is
// paid in advance, because a timer fired late or the network was slow for a
// moment, is carried on for at most one slice.
type Bucket struct {
	mu      sync.Mutex
	rate    uint64    // bytes per second, 0 is unlimited
	last    time.Time // when paid was brought up to date; zero before the first debit
	debited uint64    // bytes, since the bucket was made
	paid    uint64    // bytes; may run ahead of debited by the carried credit
	part    uint64    // billionths of a byte paid beyond paid
	waiting int       // limiters that wait for this bucket now
	changed chan struct{}
}

// NewBucket returns a Bucket of rate bytes per second; zero or less does not
// limit.
func NewBucket(rate int64) *Bucket {
	return &Bucket{rate: positive(rate)}
}

// Rate returns the limit in bytes per second, 0 if there is none.
func (b *Bucket) Rate() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.rate)
}

// SetRate changes the limit to rate bytes per second; zero or less lifts it. The
// waits that are under way reckon with the new rate at once. What was paid under
// the old rate stays paid.
func (b *Bucket) SetRate(rate int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate == positive(rate) {
		return
	}
	b.settle(time.Now())
	b.rate = positive(rate)
	if b.rate == 0 {
		b.paid, b.part = max(b.paid, b.debited), 0
	}
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// debit takes n bytes and returns the count up to which they reach.
func (b *Bucket) debit(n int) (mark uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.last.IsZero() || now.Sub(b.last) > idleTime {
		b.settle(now)
		b.paid, b.part = min(b.paid, b.debited), 0
	} else {
		b.settle(now)
	}
	b.debited += uint64(n)
	if b.rate == 0 {
		b.paid, b.part = b.debited, 0
	}
	return b.debited
}

// due returns how long it takes until everything up to mark is paid, and a
// channel that is closed when the rate changes. Both are zero values if it is
// paid already.
func (b *Bucket) due(mark uint64) (time.Duration, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(time.Now())
	if b.rate == 0 || b.paid >= mark {
		return 0, nil
	}
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return owed(mark-b.paid, b.part, b.rate), b.changed
}

// share is what one more transfer may take as a slice beside those that wait.
// It returns 0 if the bucket does not limit.
func (b *Bucket) share() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate == 0 {
		return 0
	}
	return max(1, perSlice(b.rate)/uint64(1+b.waiting))
}

// queue counts a limiter that begins (+1) or ceases (-1) to wait.
func (b *Bucket) queue(by int) {
	b.mu.Lock()
	b.waiting += by
	b.mu.Unlock()
}

// settle pays for the time that has passed, up to one slice in advance. The
// caller holds the lock.
func (b *Bucket) settle(now time.Time) {
	elapsed := now.Sub(b.last)
	if b.last.IsZero() {
		elapsed = 0
	}
	b.last = now
	if b.rate == 0 || elapsed <= 0 {
		return
	}
	ceiling := b.debited + max(minSlice, perSlice(b.rate))
	hi, lo := bits.Mul64(b.rate, uint64(elapsed))
	lo, carry := bits.Add64(lo, b.part, 0)
	hi += carry
	if hi >= uint64(time.Second) { // more bytes than a counter holds
		b.paid, b.part = ceiling, 0
		return
	}
	whole, part := bits.Div64(hi, lo, uint64(time.Second))
	if b.paid >= ceiling || whole >= ceiling-b.paid {
		b.paid, b.part = ceiling, 0
		return
	}
	b.paid, b.part = b.paid+whole, part
}

// owed is the time in which rate pays n bytes less part billionths of a byte.
func owed(n, part, rate uint64) time.Duration {
	hi, lo := bits.Mul64(n, uint64(time.Second))
	lo, borrow := bits.Sub64(lo, part, 0)
	hi -= borrow
	if hi >= rate { // longer than a duration holds; ask again in an hour
		return time.Hour
	}
	d, rest := bits.Div64(hi, lo, rate)
	if rest > 0 {
		d++
	}
	return time.Duration(min(d, uint64(time.Hour)))
}

// perSlice is sliceTime's worth of rate, rounded up.
func perSlice(rate uint64) uint64 {
	const slices = uint64(time.Second / sliceTime)
	return rate/slices + min(1, rate%slices)
}

func positive(rate int64) uint64 { return uint64(max(0, rate)) }
