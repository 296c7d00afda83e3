package throttle

import "time"

// A kernel that knows the rate sends evenly what it is given at once. A transfer need
// then be woken for pieces of a tenth of a second and not for its turns, at 10 MiB/s a
// tenth as often. On a server with nothing else to do each awakening takes 150 us of
// processor time, as threads of the runtime wake with it: 0.36 s for each GB at 10 MiB/s
// instead of 1.5; at 50 transfers 0.08 instead of 0.16.
const (
	// spreadTime is how long a piece lasts, and how late a change may be in force.
	spreadTime = 100 * time.Millisecond
	// maxSpread is the most that lies in a socket.
	maxSpread = 1 << 20
	// minSpread is the least that is spread. The kernel sends packets of 64 KiB where
	// the way is short, and less than six of them are no even tenth of a second.
	minSpread = 384 << 10
	// aloneTime is how long nobody else must have been active under a limit: small files
	// beside a large one wait for a piece of it once, and not each.
	aloneTime = time.Second
)

// haste is how fast a piece is sent that is paid for at rate: a little faster, so that
// the kernel is done with it before the next one, and time that was lost is made up for.
func haste(rate uint64) uint64 { return rate + rate/20 }

// Spread takes the place of Slice for a transfer whose bytes the kernel sends evenly:
// n of them may be handed to it before the next Wait, and it has to send them at rate
// bytes per second. As long as the transfer has its narrowest limit for itself, n is
// 100 ms of it, at most 1 MiB. Otherwise, and where that is little, n is what Slice
// returns and rate is 0: the bytes go as fast as they can. A piece that has been begun is
// moved to its end as it was, if it takes no longer than it should, because what is in the
// socket would go at the new rate.
func (l *Limiter) Spread() (n int, rate int64) {
	now := time.Now().UnixNano()
	if l != nil && l.spread.Load() != 0 && l.used.Load() > 0 && now-l.since.Load() < int64(spreadTime) {
		return l.left(), l.spread.Load()
	}
	share := l.alone()
	whole := min(maxSpread, worth(share, spreadTime))
	if whole < minSpread || whole < 2*min(maxSlice, worth(share, turnTime)) {
		return l.Slice(), 0
	}
	l.spread.Store(int64(haste(share)))
	l.slice.Store(int64(whole))
	if l.used.Load() <= 0 {
		l.since.Store(now)
	}
	return l.left(), l.spread.Load()
}

// left is how much of the slice may be moved before the next wait.
func (l *Limiter) left() int {
	whole := l.slice.Load()
	return int(max(minSlice, whole/8, whole-max(0, l.used.Load())))
}

// alone returns the narrowest limit in bytes per second if no other transfer has a part
// of it, and each wider limit that others have a part of leaves room for twice as much.
// Otherwise, and where nothing limits, it returns 0.
func (l *Limiter) alone() uint64 {
	if l == nil {
		return 0
	}
	const none = ^uint64(0)
	own, shared := none, none
	for i := range l.chain {
		switch part, all := l.chain[i].part(); {
		case part == 0:
		case all:
			own = min(own, part)
		default:
			shared = min(shared, part)
		}
	}
	if own == none || shared/2 < own {
		return 0
	}
	return own
}

// part is the limiter's share in bytes per second, 0 if the bucket does not limit, and
// whether that is all of it.
func (k *link) part() (rate uint64, all bool) {
	rate = k.rate.Load()
	if k.seen.Load() != rate {
		k.seen.Store(rate)
	}
	if rate == 0 {
		return 0, true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = time.Now()
	k.look(k.asked)
	n := max(k.active, k.earlier)
	if k.stranger() {
		n++
	}
	if n > 1 || k.slow > 1 {
		return max(1, rate/uint64(max(1, n))), false
	}
	return rate, k.shared.IsZero() || k.asked.Sub(k.shared) > aloneTime
}

// sent returns when the kernel will have sent n more bytes but for those of one turn, which
// is the earliest that it may be given more, so that it has something to send if somebody
// who is behind is woken late again. It began with them at the time from at the earliest, and took
// them little by little if they did not fit. The caller holds the lock.
func (k *link) sent(n, rate uint64, from time.Time) time.Time {
	if k.until.Before(from) || k.untilChanges != k.changes {
		k.until, k.untilChanges = from, k.changes
	}
	k.until = k.until.Add(new(meter).owed(n, haste(rate)))
	return k.until.Add(-turnTime)
}
