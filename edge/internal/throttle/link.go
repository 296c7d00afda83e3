package throttle

import (
	"sync/atomic"
	"time"
)

// link is a limiter's place at one bucket. All but seen is guarded by the bucket's
// lock.
type link struct {
	*Bucket
	seen   atomic.Uint64 // the rate when the limiter was last asked for a slice
	asked  time.Time     // when that was; zero since the debit
	epoch  uint64        // in which the limiter was last counted as active; 0 if never
	before uint64        // and the one before that
	slow   int           // how many of its last pieces took longer than a turn to move
	behind int64         // bytes that it lacks of its fair share, when the bucket's count
	fair   uint64        // of that was this

	until        time.Time // when the kernel has sent what it was given to spread, see sent
	untilChanges uint64    // of the rate, when that was reckoned
}

// unasked stands for the rate seen by a limiter that was not asked for a slice.
const unasked = ^uint64(0)

// share is what the limiter may take as a slice beside the others that are active:
// its part of a turn, and up to a half more or less of that if it is behind them or
// ahead. It returns 0 if the bucket does not limit, and takes no lock then.
func (k *link) share() uint64 {
	rate := k.rate.Load()
	if k.seen.Load() != rate {
		k.seen.Store(rate)
	}
	if rate == 0 {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = time.Now()
	k.look(k.asked)
	n := k.siblings()
	if k.stranger() {
		n = max(k.active, k.earlier) + 1
	}
	all := int64(n)
	piece := int64(round(rate, n, k.slow > 1)) / all
	if n > 1 && !k.stranger() {
		behind := k.behind + int64(k.Bucket.fair-k.fair)
		behind -= piece * (all - 1) / (2 * all) // as everybody is just before his turn
		piece += max(-piece/2, min(piece/2, behind))
	}
	return uint64(max(1, piece))
}

// debit takes n bytes and returns what must be waited for, and how long that
// takes. Where nothing limits, both are zero and no lock is taken. With n = 0 it is
// all that others owe.
func (k *link) debit(n uint64, spread bool) (m mark, d time.Duration) {
	if k.rate.Load() == 0 {
		return m, 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	rate := k.rate.Load()
	if rate == 0 {
		return m, 0
	}
	now := time.Now()
	k.notice(now)
	k.settle(now, n)
	k.count(now)
	m.changes = k.changes
	if n == 0 {
		m.count = k.debited
		return m, k.due(m)
	}
	if k.asked.IsZero() {
		k.asked = now
	}
	moving := now.Sub(k.asked)
	n = k.charge(n, rate)
	if k.fresh {
		k.begin(rate, n, moving)
	}
	if !spread { // else it moves as it is paid for
		k.lead(rate)
	}
	if spread { // nor is it slow because the kernel takes no more than it can send
		moving = 0
	}
	k.judge(n, rate, moving)
	k.debited += n
	k.credit = min(k.credit, k.advance())
	front := min(uint64(max(0, k.behind)), worth(rate, turnTime), k.debited) // of the queue
	m.count = k.debited - front
	if spread {
		m.at, k.asked = k.sent(n, rate, k.asked), time.Time{}
		return m, k.due(m)
	}
	from := now // when it arrived, even if it was delayed
	if k.slow > 1 {
		from = k.asked // it came little by little
	}
	m.at = k.next(n, rate, k.slow > 1, from, now)
	k.asked = time.Time{}
	return m, k.due(m)
}

// notice finds out whether a transfer begins that nobody's credit is for. The caller
// holds the lock.
func (k *link) notice(now time.Time) {
	switch idle := now.Sub(k.last); {
	case k.last.IsZero() || idle > idleTime:
		k.fresh, k.ahead = true, 0
	case k.epoch == 0 && k.late == 0 && idle > turnTime:
		k.fresh = true
	}
}

// charge is what n bytes cost that were moved as a slice before the rate fell: as
// much time as they would have cost then, or one slice if there was no limit. The
// caller holds the lock.
func (k *link) charge(n, rate uint64) uint64 {
	switch old := k.seen.Load(); {
	case old == 0:
		return min(n, max(minSlice, worth(rate, turnTime)))
	case old != unasked && old > rate:
		return max(1, scale(n, rate, old))
	}
	return n
}

// judge finds out how n bytes compare that took so long to move: with the limiter's
// share of the limit, whether they took longer than that takes to pay for them; and
// with what the others have moved. Without the latter, one that takes longer to move
// a piece, or is woken later, would have fewer turns and less than its share. The
// caller holds the lock.
func (k *link) judge(n, rate uint64, moving time.Duration) {
	all := k.siblings()
	switch paid := new(meter).owed(n, rate) * time.Duration(all); {
	case moving > paid:
		k.slow++
	case moving < paid/2:
		k.slow = 0
	}
	k.Bucket.fair += n / uint64(all)
	most := int64(worth(rate, mostTurn)) // which a slow client may be behind for ever
	k.behind += int64(k.Bucket.fair-k.fair) - int64(n)
	k.behind = max(-most, min(most, k.behind))
	k.fair = k.Bucket.fair
}

// stranger reports whether the limiter is not among the active ones. The caller
// holds the lock.
func (k *link) stranger() bool { return k.epoch == 0 || k.epoch+1 < k.Bucket.epoch }

// count takes note that the limiter is active. The caller holds the lock.
func (k *link) count(now time.Time) {
	k.look(now)
	if k.stranger() {
		k.behind, k.fair = 0, k.Bucket.fair
	}
	if k.epoch != k.Bucket.epoch {
		k.before, k.epoch = k.epoch, k.Bucket.epoch
		k.active++
	}
	if k.siblings() > 1 {
		k.shared = now
	}
}

// leave makes the limiter a stranger.
func (k *link) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch == 0 {
		return
	}
	if k.epoch == k.Bucket.epoch {
		k.active--
	}
	if k.epoch+1 == k.Bucket.epoch || k.epoch == k.Bucket.epoch && k.before+1 == k.epoch && k.before > 0 {
		k.earlier = max(0, k.earlier-1)
	}
	k.epoch, k.before, k.asked = 0, 0, time.Time{}
}
