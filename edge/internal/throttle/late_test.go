package throttle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// machine is one on which whoever waits is woken late.
type machine struct {
	rate      int64
	transfers int
	late      func(r *rand.Rand, now time.Duration) time.Duration
	perMiB    time.Duration // how long it takes to move one

	mu    sync.Mutex
	start time.Time
	moved []moved
}

type moved struct {
	at time.Duration
	by int
	n  float64 // as a part of what the limit allows in ten seconds
}

// wait is Limiter.Wait, but late.
func (m *machine) wait(ctx context.Context, l *Limiter, n int, r *rand.Rand) bool {
	dues, wait := l.debit(nil, n)
	for wait {
		d, _ := l.hold(dues)
		if d == 0 {
			break
		}
		<-time.After(d)
		<-time.After(m.late(r, time.Since(m.start)))
		l.ask(dues)
	}
	return ctx.Err() == nil
}

// transfer moves pieces until ctx ends.
func (m *machine) transfer(ctx context.Context, l *Limiter, by int) {
	r := rand.New(rand.NewPCG(uint64(by), 7))
	for ok := m.wait(ctx, l, 0, r); ok; {
		n := l.Slice()
		m.mu.Lock()
		m.moved = append(m.moved, moved{time.Since(m.start), by, float64(n) / float64(10*m.rate)})
		m.mu.Unlock()
		<-time.After(time.Duration(int64(n) * int64(m.perMiB) >> 20))
		ok = m.wait(ctx, l, n, r)
	}
}

// run runs the transfers for ten seconds under a chain of two equal limits.
func (m *machine) run(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m.start = time.Now()
	user, server := NewNode(Rates{Up: m.rate}), NewNode(Rates{Up: m.rate})
	var wg sync.WaitGroup
	for i := range m.transfers {
		wg.Go(func() { m.transfer(ctx, Chain(false, user, server), i) })
	}
	wg.Wait()
}

// figures are what moved in all, the most within 100 ms after the first ones, and the
// least and the most that a transfer had, each as a multiple of its share.
func (m *machine) figures() (total, fullest, least, most float64) {
	each := make([]float64, m.transfers)
	first, window := 0, 0.0
	for i, p := range m.moved {
		total += p.n
		each[p.by] += p.n * float64(m.transfers)
		if p.at < 100*time.Millisecond {
			first = i + 1
			continue
		}
		for window += 100 * p.n; p.at-m.moved[first].at >= 100*time.Millisecond; first++ {
			window -= 100 * m.moved[first].n
		}
		fullest = max(fullest, window)
	}
	least, most = each[0], each[0]
	for _, e := range each {
		least, most = min(least, e), max(most, e)
	}
	return total, fullest, least, most
}

// Timers that fire late, on a machine with too much to do, cost nothing as long as it
// is ten milliseconds on the average, and what is made up for comes in no burst,
// however late it is.
func TestLateTimers(t *testing.T) {
	const ms = time.Millisecond
	steady := func(d time.Duration) func(*rand.Rand, time.Duration) time.Duration {
		return func(*rand.Rand, time.Duration) time.Duration { return d }
	}
	random := func(mean time.Duration) func(*rand.Rand, time.Duration) time.Duration {
		return func(r *rand.Rand, _ time.Duration) time.Duration {
			return time.Duration(r.ExpFloat64() * float64(mean))
		}
	}
	stalls := func(_ *rand.Rand, now time.Duration) time.Duration { // in every second second
		return max(0, 150*ms-(now+time.Second)%(2*time.Second))
	}
	for name, c := range map[string]struct {
		late func(*rand.Rand, time.Duration) time.Duration
		off  float64 // of the total
		each float64 // of each transfer's share
	}{
		"1 ms":             {steady(1 * ms), 0.001, 0.01},
		"5 ms":             {steady(5 * ms), 0.002, 0.01},
		"10 ms":            {steady(10 * ms), 0.002, 0.02},
		"about 1 ms":       {random(1 * ms), 0.002, 0.01},
		"about 5 ms":       {random(5 * ms), 0.002, 0.01},
		"about 10 ms":      {random(10 * ms), 0.005, 0.05},
		"about 20 ms":      {random(20 * ms), 0.1, 0.15},
		"about 50 ms":      {random(50 * ms), 0.5, 0.5},
		"sometimes 150 ms": {stalls, 0.004, 0.02},
	} {
		for _, rate := range []int64{1e6, 100e6} {
			for _, transfers := range []int{1, 4, 8} {
				synctest.Test(t, func(t *testing.T) {
					m := &machine{rate: rate, transfers: transfers, late: c.late, perMiB: ms}
					m.run(t)
					m.check(t, fmt.Sprintf("%d MB/s, %d transfers, %s late", rate/1e6, transfers, name), c.off, c.each)
				})
			}
		}
	}
}

func (m *machine) check(t *testing.T, what string, off, unequal float64) {
	t.Helper()
	total, fullest, least, most := m.figures()
	if total > 1.001 || total < 1-off {
		t.Errorf("%s: %.4f of the limit", what, total)
	}
	if fullest > 1.25 {
		t.Errorf("%s: a window has %.3f times its share", what, fullest)
	}
	if least < 1-off-unequal || most > 1+unequal {
		t.Errorf("%s: a transfer has from %.3f to %.3f times its share", what, least, most)
	}
}
