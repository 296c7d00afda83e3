// Package throttle keeps transfers within their rates: token buckets, each a
// limit that several transfers may share, and a tree of them, of which every
// transfer has the chain from its own limit up to the server's.
//
// Nothing here wraps a file or a socket. A transfer moves one piece, of at most
// [Limiter.Slice] bytes, by whatever means is fastest (sendfile, splice), and
// then calls [Limiter.Wait] with the number of bytes that went over the wire.
package throttle

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// turnTime is the time in which every active transfer has a turn and moves one
	// piece. (With twice as much, a tenth of a second has six pieces whenever a timer is
	// late, and seven when the one before was too; half as much costs twice as many
	// wake-ups.)
	turnTime = 10 * time.Millisecond
	// mostTurn is the turn of one whose pieces take longer to move than that, whatever
	// their size: otherwise a slow filesystem would keep it below its limit.
	mostTurn = 16 * time.Millisecond

	// pauseTime is the credit that a bucket keeps while nobody waits for it, because
	// pieces take their time to move; it is half a percent of ten seconds.
	pauseTime = 50 * time.Millisecond
	// lateTime is the credit that it keeps while somebody waits, and is woken late.
	lateTime = 250 * time.Millisecond
	// idleTime is the pause after which all credit is forgotten, so that a new
	// transfer begins within its limit.
	idleTime = 200 * time.Millisecond
	// epochTime is how long a transfer that has moved something counts as active, at
	// least.
	epochTime = 250 * time.Millisecond

	minSlice  = 512
	maxSlice  = 256 << 10
	freeSlice = 1 << 20 // where nothing limits
)

// Bucket is one limit in bytes per second, shared by every [Limiter] that has it
// in its chain. The rate may be changed while transfers run. The zero value does
// not limit. A Bucket is safe for concurrent use and must not be copied.
//
// It counts the bytes debited and the bytes paid for by the passing of time; a
// transfer waits until everything debited up to its own piece is paid. Time that
// was lost because a timer fired late is made up for, as far as what has moved within
// the last tenth of a second allows it.
type Bucket struct {
	rate atomic.Uint64 // bytes per second, 0 is unlimited; written under mu

	mu      sync.Mutex
	last    time.Time // when meter was brought up to date; zero before the first debit
	debited uint64    // bytes, while the bucket had a limit
	meter   meter     // may run ahead of debited by the credit
	recent  *recent   // nil before the first debit
	ahead   uint64    // bytes debited for what moves before it is paid for, see lead
	credit  uint64    // bytes paid for in advance when somebody was woken last, less what was used of it
	fresh   bool      // the next debit begins anew
	late    int       // waits that are due at about the time at which this bucket is
	changes uint64    // of the rate
	changed chan struct{}

	epoch   uint64 // number of the present epoch
	since   time.Time
	active  int       // limiters that debited in the present epoch
	earlier int       // and in the one before
	shared  time.Time // when more than one was active last
	fair    uint64    // bytes that one would have moved that was always active
}

// NewBucket returns a Bucket of rate bytes per second; zero or less does not
// limit.
func NewBucket(rate int64) *Bucket {
	b := new(Bucket)
	b.rate.Store(positive(rate))
	return b
}

// Rate returns the limit in bytes per second, 0 if there is none.
func (b *Bucket) Rate() int64 { return int64(b.rate.Load()) }

// SetRate changes the limit to rate bytes per second; zero or less lifts it. The
// waits that are under way reckon with the new rate at once: under a higher one
// they are shorter, under a lower one they last as long as they would have, so
// that no transfer is silent for having moved a large piece when that was allowed.
func (b *Bucket) SetRate(rate int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	to, old := positive(rate), b.rate.Load()
	if to == old {
		return
	}
	b.settle(time.Now(), 0)
	b.rate.Store(to)
	switch {
	case old == 0:
		b.meter, b.fresh, b.ahead = meter{paid: b.debited}, true, 0
	case to != 0 && to < old:
		b.meter.lower(b.debited, to, old)
	}
	b.changes++
	b.recent, b.credit = nil, 0
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// mark is what a limiter waits for.
type mark struct {
	count   uint64    // of bytes, up to which the bucket must have been paid
	at      time.Time // not before then
	changes uint64    // of the rate, when this was reckoned
}

// due is how long a limiter has to wait for its mark. The caller holds the lock and
// has settled.
func (b *Bucket) due(m mark) time.Duration {
	rate := b.rate.Load()
	if rate == 0 {
		return 0
	}
	d := b.meter.owed(m.count, rate)
	if m.changes == b.changes {
		d = max(d, m.at.Sub(b.last))
	}
	return d
}

// ask returns how long a limiter has to wait for its mark.
func (b *Bucket) ask(m mark) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(time.Now(), 0)
	return b.due(m)
}

// hold is ask for a limiter that will wait as long, or about as long for another
// bucket's sake: if it is woken late, the time is credited. The channel is closed
// when the rate changes. Every hold ends with a release.
func (b *Bucket) hold(m mark) (time.Duration, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(time.Now(), 0)
	b.late++
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.due(m), b.changed
}

// release ends a hold, and is ask.
func (b *Bucket) release(m mark) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(time.Now(), 0)
	b.late--
	b.credit = b.advance()
	return b.due(m)
}

// advance is how many bytes are paid for in advance. The caller holds the lock.
func (b *Bucket) advance() uint64 { return b.meter.paid - min(b.meter.paid, b.debited) }

// settle pays for the time that has passed, in which n bytes moved that are not
// debited yet. The caller holds the lock.
func (b *Bucket) settle(now time.Time, n uint64) {
	elapsed := now.Sub(b.last)
	if b.last.IsZero() {
		elapsed = 0
	}
	b.last = now
	rate := b.rate.Load()
	if rate == 0 || elapsed <= 0 {
		return
	}
	keep := worth(rate, lateTime)
	if b.late == 0 {
		keep = n + max(b.credit, worth(rate, pauseTime))
	}
	b.meter.pay(rate, elapsed, b.debited+keep)
}

// begin forgets the credit, less the time in which the first n bytes moved. If
// something is owed still, nothing begins anew. The caller holds the lock.
func (b *Bucket) begin(rate, n uint64, moving time.Duration) {
	b.fresh = false
	if b.meter.paid < b.debited {
		return
	}
	b.meter.forget(b.debited)
	b.meter.pay(rate, moving, b.debited+n)
}

// lead debits what is ahead of the limit on the average, because pieces move before
// they are paid for: all but half a piece of a turn. Without it, the first second
// would have a whole turn more than its share. The caller holds the lock.
func (b *Bucket) lead(rate uint64) {
	n := b.siblings()
	all := round(rate, n, false)
	if ahead := all - all/uint64(n)/2; ahead > b.ahead {
		b.debited += ahead - b.ahead
		b.ahead = ahead
	}
}

// siblings is how many limiters are active. The caller holds the lock.
func (b *Bucket) siblings() int { return max(1, b.active, b.earlier) }

// round is what n active limiters move in one turn, a longer one if they are slow.
func round(rate uint64, n int, slow bool) uint64 {
	turn, piece := turnTime, uint64(maxSlice)
	if slow {
		turn = mostTurn
	}
	if n > 1 {
		piece = piece * 2 / 3 // which leaves room for half as much again
	}
	return min(uint64(n)*piece, worth(rate, turn))
}

// next notes that bytes moved at the time from, and returns when the next piece may
// follow, of a limiter that may be slow. It reckons with a piece of every limiter,
// because the others are before it, and with half a piece more for its being behind.
// The caller holds the lock.
func (b *Bucket) next(moved, rate uint64, slow bool, from, now time.Time) time.Time {
	if b.recent == nil {
		b.recent = new(recent)
	}
	n := b.siblings()
	pieces := round(rate, n, slow)
	if n > 1 {
		pieces += pieces / uint64(n) / 2
	}
	b.recent.add(moved, from, now)
	return b.recent.allows(max(moved, pieces), rate, now)
}

// look begins a new epoch if it is time. The caller holds the lock.
func (b *Bucket) look(now time.Time) {
	passed := now.Sub(b.since)
	if !b.since.IsZero() && passed < epochTime {
		return
	}
	b.earlier = b.active
	if passed >= 2*epochTime {
		b.earlier = 0
	}
	b.epoch, b.since, b.active = b.epoch+1, now, 0
}

// clear reports whether nothing is owed.
func (b *Bucket) clear() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(time.Now(), 0)
	return b.rate.Load() == 0 || b.meter.paid >= b.debited
}

func positive(rate int64) uint64 { return uint64(max(0, rate)) }
