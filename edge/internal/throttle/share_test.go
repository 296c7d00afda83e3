package throttle_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// Parallel transfers of one user have equal parts of the user's limit, however they
// move their pieces.
func TestFairness(t *testing.T) {
	const ms = time.Millisecond
	mixed := []path{
		{}, {perMiB: ms / 2}, {perMiB: 2 * ms, part: 64 << 10}, {perMiB: 4 * ms, part: 16 << 10},
		{each: ms}, {each: 3 * ms}, {perMiB: ms, each: ms, part: 64 << 10}, {part: 4 << 10},
	}
	for _, rate := range []int64{1e6, 10e6, 100e6} {
		synctest.Test(t, func(t *testing.T) {
			user := throttle.NewNode(throttle.Rates{Down: rate})
			all, each := start(t, 10*time.Second, mixed, func(int) *throttle.Limiter {
				return throttle.Chain(true, new(throttle.Node), user)
			})
			what := fmt.Sprintf("%d MB/s", rate/1e6)
			within(t, what, all.sum(0, 10*time.Second), 10*float64(rate), 0.002)
			smooth(t, what, all, float64(rate))
			for i, r := range each {
				within(t, fmt.Sprintf("%s: %+v", what, mixed[i]), r.sum(0, 10*time.Second), 10*float64(rate)/8, 0.05)
			}
		})
	}
}

// What a transfer leaves of its share, because of a limit of its own or a slow client,
// the others have.
func TestNothingIsWasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 10e6
		user := throttle.NewNode(throttle.Rates{Up: rate})
		slow := path{perMiB: 10 * time.Second / 8} // 0.8 MiB/s
		paths := []path{{}, {}, slow, {}}
		all, each := start(t, 10*time.Second, paths, func(i int) *throttle.Limiter {
			own := new(throttle.Node)
			if i == 3 {
				own.Set(throttle.Rates{Up: rate / 10})
			}
			return throttle.Chain(false, own, user)
		})
		within(t, "all", all.sum(0, 10*time.Second), 10*rate, 0.002)
		within(t, "the slow one", each[2].sum(0, 10*time.Second), 8<<20, 0.02)
		within(t, "the limited one", each[3].sum(0, 10*time.Second), rate, 0.01)
		rest := (10*rate - rate - 8<<20) / 2
		within(t, "one of the others", each[0].sum(0, 10*time.Second), rest, 0.02)
		within(t, "the other", each[1].sum(0, 10*time.Second), rest, 0.02)
	})
}

// Sessions under users under listeners under the server: nobody exceeds what is above
// him, and every limit that is reached is used in full.
func TestTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := throttle.NewTree(throttle.Rates{Down: 9e6})
		tree.SetListener("b", throttle.Rates{Down: 4e6})
		tree.SetDefaults(throttle.Rates{Down: 3e6}, throttle.Rates{Down: 2e6})
		type client struct {
			listener, user string
			want           float64
		}
		clients := []client{
			{"a", "one", 2e6},                           // the session's limit
			{"a", "two", 1.5e6},                         // the user's
			{"a", "two", 1.5e6},                         //
			{"b", "three", 2e6}, {"b", "four", 4e6 / 2}, // the listener's
			{"a", "five", 2e6 / 2}, {"a", "six", 2e6 / 2}, // what is left of the server's
		}
		_, each := start(t, 10*time.Second, make([]path, len(clients)), func(i int) *throttle.Limiter {
			c := clients[i]
			session, _ := tree.Session(1, throttle.Rates{})
			user, _ := tree.User(c.user, throttle.Rates{})
			return throttle.Chain(true, nil, session, user, tree.Listener(c.listener), tree.Server())
		})
		sums, total := map[string]float64{}, 0.0
		for i, c := range clients {
			n := each[i].sum(0, 10*time.Second)
			sums["user "+c.user] += n
			sums["listener "+c.listener] += n
			total += n
			if n > 10*2e6*1.002 {
				t.Errorf("session %d moved %.0f", i, n)
			}
		}
		within(t, "the server", total, 10*9e6, 0.002)
		if n := sums["listener b"]; n > 10*4e6*1.002 {
			t.Errorf("listener b moved %.0f", n)
		}
		if n := sums["user two"]; n > 10*3e6*1.002 {
			t.Errorf("user two moved %.0f", n)
		}
	})
}

// A limit holds for many short transfers as well, of which none fills a slice.
func TestShortTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := throttle.NewNode(throttle.Rates{Down: 1e6})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		moved := begin()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					l := throttle.Chain(true, user)
					if l.Wait(ctx, 0) != nil {
						return
					}
					moved.add(1000)
					ended, cancel := context.WithCancel(ctx) // the client breaks off at once
					cancel()
					_ = l.Wait(ended, 1000)
				}
			})
		}
		wg.Wait()
		within(t, "files of 1,000 bytes", moved.sum(0, 10*time.Second), 10e6, 0.005)
		smooth(t, "files of 1,000 bytes", moved, 1e6)
	})
}

// Transfers that have ended leave their share to the others: many short ones, one
// after another, are not many at once.
func TestDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := throttle.NewNode(throttle.Rates{Down: 1e6})
		move := func(l *throttle.Limiter, n int) {
			t.Helper()
			if err := l.Wait(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 { // over several epochs
			l := throttle.Chain(true, user)
			move(l, 0)
			if n := l.Slice(); n != 10_000 {
				t.Fatalf("the slice is %d", n)
			}
			move(l, 8000)
			l.Done()
			l.Done()
		}
		one, two := throttle.Chain(true, user), throttle.Chain(true, user)
		for range 50 {
			move(one, one.Slice())
			move(two, two.Slice())
		}
		if n := one.Slice(); n > 7500 {
			t.Errorf("one of two has a slice of %d", n)
		}
		two.Done()
		if n := one.Slice(); n != 10_000 {
			t.Errorf("the other has a slice of %d", n)
		}
		var none *throttle.Limiter
		none.Done()
	})
}
