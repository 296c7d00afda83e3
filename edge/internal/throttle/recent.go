package throttle

import "time"

// recent knows how much moved in the last tenth of a second, so that what is made up
// for after a delay does not come in a burst. The zero value knows of nothing.
type recent struct {
	newest int64 // number of the newest bin, of all since start
	start  time.Time
	bins   [binCount]uint64 // bytes; the bin of number n is at n modulo binCount
}

const (
	binTime  = 2500 * time.Microsecond
	binCount = 48
)

// span is a length of time and the most that may move in it, as worth of the limit.
type span struct{ length, most time.Duration }

// spans returns what holds at any moment: a window of 100 ms has at most 1.2 times
// its share, and half of it at most 1.8 times its share.
func spans() [2]span {
	return [2]span{{100 * time.Millisecond, 120 * time.Millisecond}, {50 * time.Millisecond, 90 * time.Millisecond}}
}

// reach makes the bin of now the newest.
func (r *recent) reach(now time.Time) {
	if r.start.IsZero() {
		r.start = now
	}
	n := int64(now.Sub(r.start) / binTime)
	for i := max(r.newest+1, n-binCount+1); i <= n; i++ {
		r.bins[i%binCount] = 0
	}
	r.newest = max(r.newest, n)
}

// add notes that n bytes moved at the time from, which is not after now.
func (r *recent) add(n uint64, from, now time.Time) {
	r.reach(now)
	i := max(0, int64(from.Sub(r.start)/binTime))
	if i > r.newest-binCount {
		r.bins[i%binCount] += n
	}
}

// allows returns when the next bytes may move, of which there are next, under a
// limit of rate.
func (r *recent) allows(next, rate uint64, now time.Time) time.Time {
	r.reach(now)
	at := now
	for _, s := range spans() {
		sum, most := next, worth(rate, s.most)
		oldest := r.newest - int64(s.length/binTime)
		for i := r.newest; i >= max(0, oldest); i-- {
			if sum += r.bins[i%binCount]; sum <= most {
				continue
			}
			if end := r.start.Add(time.Duration(i+1)*binTime + s.length); end.After(at) {
				at = end
			}
			break
		}
	}
	return at
}
