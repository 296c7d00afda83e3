package throttle_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// setting is one way in which transfers may be limited.
type setting struct {
	rate      int64
	transfers int
	down      bool
	chain     string
	path      string
}

func (s setting) String() string {
	return fmt.Sprintf("%d MB/s, %d transfers, %s, %s, down %v", s.rate/1e6, s.transfers, s.chain, s.path, s.down)
}

// settings returns every combination; the directions, which do not know of each other,
// take turns.
func settings() (all []setting) {
	all = []setting{{}}
	each := func(n int, set func(s *setting, i int)) {
		var more []setting
		for _, s := range all {
			for i := range n {
				set(&s, i)
				more = append(more, s)
			}
		}
		all = more
	}
	each(3, func(s *setting, i int) { s.rate = []int64{1e6, 10e6, 100e6}[i] })
	each(2, func(s *setting, i int) { s.transfers = []int{1, 4}[i] })
	each(3, func(s *setting, i int) { s.chain = []string{"user", "equal", "wider"}[i] })
	each(3, func(s *setting, i int) { s.path = []string{"kernel", "tls", "busy"}[i] })
	for i := range all {
		all[i].down = i%2 == 0
	}
	return all
}

// limiters returns what makes a limiter for each transfer of a user: the user alone
// is limited, or everything equally, or everything else a little wider.
func (s setting) limiters() func() *throttle.Limiter {
	rates := func(percent int64) throttle.Rates {
		r := throttle.Rates{Down: s.rate * percent / 100, Up: s.rate / 2}
		if !s.down {
			r.Down, r.Up = r.Up, r.Down
		}
		return r
	}
	user := throttle.NewNode(rates(100))
	switch s.chain {
	case "equal":
		listener, server := throttle.NewNode(rates(100)), throttle.NewNode(rates(100))
		return func() *throttle.Limiter {
			return throttle.Chain(s.down, throttle.NewNode(rates(100)), throttle.NewNode(rates(100)), user, listener, server)
		}
	case "wider":
		server := throttle.NewNode(rates(110))
		return func() *throttle.Limiter { return throttle.Chain(s.down, throttle.NewNode(rates(120)), user, server) }
	}
	return func() *throttle.Limiter { return throttle.Chain(s.down, nil, throttle.NewNode(throttle.Rates{}), user) }
}

func (s setting) paths() []path {
	p := map[string]path{
		"kernel": {perMiB: 500 * time.Microsecond},
		"tls":    {perMiB: 2 * time.Millisecond, part: 64 << 10},
		"busy":   {perMiB: 6 * time.Millisecond, part: 64 << 10},
	}[s.path]
	return slices.Repeat([]path{p}, s.transfers)
}

// Within half a percent of the limit over ten seconds and in the first one, and no
// tenth of a second above 1.25 times its share.
func TestAccuracy(t *testing.T) {
	for _, s := range settings() {
		synctest.Test(t, func(t *testing.T) {
			limiter := s.limiters()
			all, each := start(t, 10*time.Second, s.paths(), func(int) *throttle.Limiter { return limiter() })
			rate := float64(s.rate)
			within(t, s.String()+": ten seconds", all.sum(0, 10*time.Second), 10*rate, 0.001)
			within(t, s.String()+": the first second", all.sum(0, time.Second), rate, 0.005)
			smooth(t, s.String(), all, rate)
			for _, r := range each {
				within(t, s.String()+": one of them", r.sum(0, 10*time.Second), 10*rate/float64(s.transfers), 0.01)
				smooth(t, s.String()+": one of them", r, rate/float64(s.transfers))
			}
		})
	}
}

// A disk that makes one piece wait now and then neither costs anything nor makes a
// window too full, as seen where the pieces arrive.
func TestDelayedPieces(t *testing.T) {
	for _, delay := range []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 45 * time.Millisecond} {
		for _, rate := range []int64{1e6, 10e6, 100e6} {
			synctest.Test(t, func(t *testing.T) {
				l, arrived := throttle.Chain(false, throttle.NewNode(throttle.Rates{Up: rate})), begin()
				for next := time.Duration(0); time.Since(arrived.start) < 10*time.Second; {
					n := l.Slice()
					if time.Since(arrived.start) >= next {
						<-time.After(delay)
						next += 840 * time.Millisecond
					}
					arrived.add(n)
					if err := l.Wait(t.Context(), n); err != nil {
						t.Fatal(err)
					}
				}
				what := fmt.Sprintf("%v, %d MB/s", delay, rate/1e6)
				within(t, what, arrived.sum(0, 10*time.Second), 10*float64(rate), 0.005)
				smooth(t, what, arrived, float64(rate))
			})
		}
	}
}
