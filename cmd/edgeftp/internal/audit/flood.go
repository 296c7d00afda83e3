package audit

import "time"

// flood bounds how many refused requests are written: a hundred at once, and ten a second.
type flood struct {
	used    float64
	last    time.Time
	dropped uint64
}

const (
	floodAtOnce    = 100
	floodPerSecond = 10
)

func (f *flood) take(now time.Time) bool {
	f.used = max(0, f.used-now.Sub(f.last).Seconds()*floodPerSecond)
	f.last = now
	if f.used >= floodAtOnce {
		f.dropped++
		return false
	}
	f.used++
	return true
}
