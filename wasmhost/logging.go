package wasmhost

import (
	"sync"
	"sync/atomic"
	"time"
)

// Lines of log that a policy may write: so many at once, so many a second over
// time.
const (
	logBurst  = 200
	logPerSec = 50
)

// limiter is a bucket of log lines.
type limiter struct {
	mu      sync.Mutex
	lines   float64
	last    time.Time
	dropped atomic.Uint64
}

func newLimiter() *limiter { return &limiter{lines: logBurst, last: time.Now()} }

// allow reports whether one more line may be written, and counts it if not.
func (l *limiter) allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.lines = min(logBurst, l.lines+logPerSec*now.Sub(l.last).Seconds())
	l.last = now
	if l.lines < 1 {
		l.dropped.Add(1)
		return false
	}
	l.lines--
	return true
}
