package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pump moves pieces until ctx ends. Each takes took by itself, and is told of
// before the limiter is asked to wait, as a transfer does.
func pump(ctx context.Context, l *throttle.Limiter, took time.Duration, moved func(n int)) {
	for ctx.Err() == nil {
		n := l.Slice()
		moved(n)
		if took > 0 {
			<-time.After(took)
		}
		if l.Wait(ctx, n) != nil {
			return
		}
	}
}

// within fails unless got is at most part (0.005 is half a percent) off want.
func within(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if math.Abs(got-want) > part*want {
		t.Errorf("%s: %.0f, want %.0f within %.1f %%", what, got, want, 100*part)
	}
}

func TestRate(t *testing.T) {
	cases := []struct {
		rate int64
		took time.Duration
	}{
		{100_000, 0},
		{1_000_000, 0},
		{1_000_000, 7 * time.Millisecond},
		{10 << 20, 0},
		{10 << 20, 3 * time.Millisecond},
		{1_000_000_000, 0},
		{1_000_000_000, 100 * time.Microsecond},
		{333_333, 9 * time.Millisecond},
		{2_000_000, 15 * time.Millisecond},
	}
	for _, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			l := throttle.NewLimiter(throttle.NewBucket(c.rate))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			start := time.Now()
			first, total := 0, 0
			pump(ctx, l, c.took, func(n int) {
				total += n
				if time.Since(start) < time.Second {
					first += n
				}
			})
			within(t, "ten seconds", float64(total), 10*float64(c.rate), 0.001)
			within(t, "the first second", float64(first), float64(c.rate), 0.0051)
		})
	}
}

func TestSlowRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := throttle.NewLimiter(throttle.NewBucket(100))
		if n := l.Slice(); n != 512 {
			t.Errorf("slice %d", n)
		}
		start := time.Now()
		for range 10 {
			if err := l.Wait(t.Context(), 512); err != nil {
				t.Fatal(err)
			}
		}
		within(t, "ns for 5,120 bytes", float64(time.Since(start)), 51.2e9, 0.001) // and half a slice
	})
}

func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1_000_000
		l := throttle.NewLimiter(throttle.NewBucket(rate))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		var windows [51]int
		pump(ctx, l, 0, func(n int) { windows[time.Since(start)/(100*time.Millisecond)] += n })
		for i, n := range windows[:50] {
			within(t, fmt.Sprint("tenth of a second ", i), float64(n), rate/10, 0.11)
		}
	})
}

func TestSharedBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, transfers = 4_000_000, 8
		shared := throttle.NewBucket(rate)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		var moved [transfers]atomic.Int64
		for i := range transfers {
			wg.Go(func() {
				l := throttle.NewLimiter(throttle.NewBucket(0), shared)
				pump(ctx, l, 0, func(n int) { moved[i].Add(int64(n)) })
			})
		}
		wg.Wait()
		total := int64(0)
		for i := range moved {
			within(t, "one of eight", float64(moved[i].Load()), 10*rate/transfers, 0.1)
			total += moved[i].Load()
		}
		within(t, "all", float64(total), 10*rate, 0.005)
	})
}

func TestNarrowestHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wide := throttle.NewBucket(1_000_000)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		var narrow, free int
		wg.Go(func() {
			l := throttle.NewLimiter(throttle.NewBucket(200_000), wide)
			pump(ctx, l, 0, func(n int) { narrow += n })
		})
		wg.Go(func() {
			pump(ctx, throttle.NewLimiter(nil, wide), 0, func(n int) { free += n })
		})
		wg.Wait()
		within(t, "narrow", float64(narrow), 2_000_000, 0.005)
		within(t, "together", float64(narrow+free), 10_000_000, 0.005)
	})
}

func TestRateChangeDuringWait(t *testing.T) {
	cases := []struct {
		name string
		rate int64
		want time.Duration
	}{
		// Half a slice, 50 bytes, comes on top.
		{"lifted", 0, time.Second},
		{"doubled", 20_000, time.Second + 4502500*time.Microsecond},
		{"halved", 5_000, time.Second + 9005*time.Millisecond},
		{"same", 10_000, 10*time.Second + 5*time.Millisecond},
	}
	for _, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			b := throttle.NewBucket(10_000)
			start := time.Now()
			done := make(chan error)
			go func() { done <- throttle.NewLimiter(b).Wait(t.Context(), 100_000) }()
			<-time.After(time.Second)
			b.SetRate(c.rate)
			if err := <-done; err != nil || time.Since(start) != c.want {
				t.Errorf("%s: waited %v, %v; want %v", c.name, time.Since(start), err, c.want)
			}
			if b.Rate() != c.rate {
				t.Errorf("%s: rate %d", c.name, b.Rate())
			}
		})
	}
}

func TestLimitSetOnFreeBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b throttle.Bucket
		l := throttle.NewLimiter(&b)
		start := time.Now()
		for range 100 {
			if err := l.Wait(t.Context(), 1<<30); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(start) != 0 {
			t.Errorf("an unlimited bucket held for %v", time.Since(start))
		}
		b.SetRate(1000)
		if err := l.Wait(t.Context(), 1000); err != nil || time.Since(start) != 1005*time.Millisecond {
			t.Errorf("waited %v, %v", time.Since(start), err)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aborted := errors.New("aborted by the client")
		l := throttle.NewLimiter(throttle.NewBucket(1))
		ctx, cancel := context.WithCancelCause(t.Context())
		start := time.Now()
		done := make(chan error)
		go func() { done <- l.Wait(ctx, 1<<40) }()
		<-time.After(3 * time.Hour)
		cancel(aborted)
		if err := <-done; !errors.Is(err, aborted) || time.Since(start) != 3*time.Hour {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		var none *throttle.Limiter
		for _, l := range []*throttle.Limiter{none, {}, throttle.NewLimiter(throttle.NewBucket(0))} {
			if err := l.Wait(ctx, 1); !errors.Is(err, aborted) {
				t.Errorf("a transfer that ended goes on: %v", err)
			}
		}
	})
}

func TestSlice(t *testing.T) {
	var none *throttle.Limiter
	cases := []struct {
		l    *throttle.Limiter
		want int
	}{
		{none, 1 << 20},
		{&throttle.Limiter{}, 1 << 20},
		{throttle.NewLimiter(nil, throttle.NewBucket(-5)), 1 << 20},
		{throttle.NewLimiter(throttle.NewBucket(1)), 512},
		{throttle.NewLimiter(throttle.NewBucket(1_000_000)), 10_000},
		{throttle.NewLimiter(throttle.NewBucket(math.MaxInt64)), 256 << 10},
		{throttle.NewLimiter(throttle.NewBucket(10<<20), throttle.NewBucket(1_000_000)), 10_000},
	}
	for _, c := range cases {
		if got := c.l.Slice(); got != c.want {
			t.Errorf("slice %d, want %d", got, c.want)
		}
	}
}

func TestExtremes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := throttle.NewLimiter(throttle.NewBucket(math.MaxInt64))
		for range 50 {
			if err := l.Wait(t.Context(), math.MaxInt32); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Hour)
		}
		if err := l.Wait(t.Context(), -7); err != nil {
			t.Error(err)
		}
	})
}
