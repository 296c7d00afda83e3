package throttle_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// A change of any node of the chain is in force within a second: for the second after
// next, what moved is what the new rate allows.
func TestChangeWhileTransfersRun(t *testing.T) {
	const unlimited = 40e6 // what the paths can do, four of them
	fast := path{perMiB: time.Second / 10 * (1 << 20) / 1e6, part: 64 << 10}
	for _, c := range []struct {
		name     string
		from, to int64 // 0 is no limit
	}{
		{"limited at last", 0, 1e6},
		{"limited a little", 0, 20e6},
		{"lifted", 1e6, 0},
		{"raised", 1e6, 10e6},
		{"raised from nearly nothing", 100, 10e6},
		{"lowered", 10e6, 1e6},
		{"lowered to nearly nothing", 100e6, 20_000},
	} {
		for _, transfers := range []int{1, 4} {
			for which := range 3 {
				synctest.Test(t, func(t *testing.T) {
					nodes := []*throttle.Node{new(throttle.Node), new(throttle.Node), new(throttle.Node)}
					nodes[which].Set(throttle.Rates{Down: c.from, Up: 5})
					time.AfterFunc(3*time.Second, func() { nodes[which].Set(throttle.Rates{Down: c.to, Up: 5}) })
					paths := make([]path, transfers)
					for i := range paths {
						paths[i] = fast
					}
					all, _ := start(t, 6*time.Second, paths, func(int) *throttle.Limiter { return throttle.Chain(true, nodes...) })
					before, after := float64(c.from), float64(c.to)
					if free := unlimited / 4 * float64(transfers); c.from == 0 || before > free {
						before = free
					}
					if free := unlimited / 4 * float64(transfers); c.to == 0 || after > free {
						after = free
					}
					if before > 1000 {
						within(t, c.name+": before", all.sum(2*time.Second, 3*time.Second), before, 0.02)
					}
					within(t, c.name+": after", all.sum(4*time.Second, 6*time.Second), 2*after, 0.03)
				})
			}
		}
	}
}

// A large piece that moved while nothing was limited, or while much was allowed, does
// not silence the transfer, nor others, when little is allowed.
func TestLimitInMidPiece(t *testing.T) {
	for _, from := range []int64{0, 100e6} {
		synctest.Test(t, func(t *testing.T) {
			user := throttle.NewNode(throttle.Rates{Up: from})
			l, other := throttle.Chain(false, user), throttle.Chain(false, user)
			n := l.Slice()
			user.Set(throttle.Rates{Up: 100_000})
			start := time.Now()
			if err := l.Wait(t.Context(), n); err != nil || time.Since(start) > 50*time.Millisecond {
				t.Errorf("from %d: waited %v for %d bytes, %v", from, time.Since(start), n, err)
			}
			if err := other.Wait(t.Context(), 0); err != nil || time.Since(start) > 100*time.Millisecond {
				t.Errorf("from %d: another waited %v, %v", from, time.Since(start), err)
			}
			for range 10 {
				if err := l.Wait(t.Context(), l.Slice()); err != nil {
					t.Fatal(err)
				}
			}
			within(t, "ns for 5,120 bytes", float64(time.Since(start)), 51.2e6, 0.7)
		})
	}
}

// A transfer that is cancelled ends at once, with the cause, and the others go on.
func TestCancelOneOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1e6
		user, server := throttle.NewNode(throttle.Rates{Down: rate}), throttle.NewNode(throttle.Rates{Down: rate})
		aborted := errors.New("aborted")
		ctx, cancel := context.WithCancelCause(t.Context())
		began := time.Now()
		time.AfterFunc(time.Second, func() { cancel(aborted) })
		ended := make(chan error, 1)
		go func() {
			l := throttle.Chain(true, user, server)
			for {
				if err := l.Wait(ctx, l.Slice()); err != nil {
					ended <- err
					if d := time.Since(began); d != time.Second {
						t.Errorf("ended after %v", d)
					}
					return
				}
			}
		}()
		all, _ := start(t, 10*time.Second, make([]path, 2), func(int) *throttle.Limiter { return throttle.Chain(true, user, server) })
		if err := <-ended; !errors.Is(err, aborted) {
			t.Errorf("ended with %v", err)
		}
		within(t, "the others", all.sum(2*time.Second, 10*time.Second), 8*rate, 0.005)
	})
}

func TestChain(t *testing.T) {
	if l := throttle.Chain(true); l != nil {
		t.Error("a chain of nothing is not nil")
	}
	if l := throttle.Chain(false, nil, nil); l != nil {
		t.Error("a chain of nil is not nil")
	}
	node := new(throttle.Node)
	down, up := throttle.Chain(true, nil, node), throttle.Chain(false, node)
	if down.Slice() != 1<<20 || up.Slice() != 1<<20 {
		t.Error("a node without a limit limits")
	}
	node.Set(throttle.Rates{Down: 1e6, Up: -1})
	if n := down.Slice(); n != 10_000 {
		t.Errorf("the slice under 1 MB/s is %d", n)
	}
	if n := up.Slice(); n != 1<<20 {
		t.Errorf("the other direction has a slice of %d", n)
	}
	if r := node.Rates(); r != (throttle.Rates{Down: 1e6}) {
		t.Errorf("rates %+v", r)
	}
}
