package throttle_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// record is what moved, and when.
type record struct {
	mu    sync.Mutex
	start time.Time
	moved []piece
}

type piece struct {
	at time.Duration
	n  int
}

func begin() *record { return &record{start: time.Now()} }

func (r *record) add(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moved = append(r.moved, piece{time.Since(r.start), n})
}

// sum is what moved from one moment to before another.
func (r *record) sum(from, to time.Duration) (n float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.moved {
		if p.at >= from && p.at < to {
			n += float64(p.n)
		}
	}
	return n
}

// fullest is the most that moved in any 100 ms after a moment, wherever they begin.
func (r *record) fullest(from time.Duration) (most float64) {
	const window = 100 * time.Millisecond
	first, n := 0, 0
	for i, p := range r.moved {
		if p.at < from {
			first = i + 1
			continue
		}
		for n += p.n; p.at-r.moved[first].at >= window; first++ {
			n -= r.moved[first].n
		}
		most = max(most, float64(n))
	}
	return most
}

// smooth fails if a tenth of a second after the first has more than 1.25 times its
// share of rate.
func smooth(t *testing.T, what string, r *record, rate float64) {
	t.Helper()
	if most := r.fullest(100 * time.Millisecond); most > 1.25*rate/10 {
		t.Errorf("%s: %.0f bytes in 100 ms, %.3f times the share", what, most, most/rate*10)
	}
}

// path is how a transfer moves its pieces.
type path struct {
	perMiB time.Duration // how long a MiB takes
	each   time.Duration // how long a piece takes beside that
	part   int           // moved at once, with a wait after each; 0 is the whole slice
}

// run moves pieces until ctx ends, as a transfer does.
func (p path) run(ctx context.Context, l *throttle.Limiter, moved ...*record) {
	if l.Wait(ctx, 0) != nil {
		return
	}
	for {
		n := l.Slice()
		if p.part > 0 {
			n = min(n, p.part)
		}
		for _, r := range moved {
			r.add(n)
		}
		if took := p.each + time.Duration(int64(n)*int64(p.perMiB)>>20); took > 0 {
			<-time.After(took)
		}
		if l.Wait(ctx, n) != nil {
			return
		}
	}
}

// start runs a transfer on each path for d and returns what each moved, and all of
// them together, when they have ended.
func start(t *testing.T, d time.Duration, paths []path, limiter func(i int) *throttle.Limiter) (all *record, each []*record) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	all, each = begin(), make([]*record, len(paths))
	var wg sync.WaitGroup
	for i, p := range paths {
		each[i] = begin()
		wg.Go(func() { p.run(ctx, limiter(i), all, each[i]) })
	}
	wg.Wait()
	return all, each
}
