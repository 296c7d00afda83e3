package throttle

import (
	"context"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// The meter's sums, in steps of any length, are those of exact arithmetic.
func TestMeterIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		rate := r.Uint64() >> r.IntN(63)
		rate = min(rate, 1<<63-1) + 1
		var m meter
		ceiling := uint64(1) << 62
		spent := new(big.Int)
		for range 20 {
			d := time.Duration(r.Int64N(int64(time.Hour)) >> r.IntN(40))
			m.pay(rate, d, ceiling)
			spent.Add(spent, big.NewInt(int64(d)))
		}
		want := new(big.Int).Mul(spent, new(big.Int).SetUint64(rate))
		want.Quo(want, big.NewInt(int64(time.Second)))
		if want.Cmp(new(big.Int).SetUint64(ceiling)) > 0 {
			want.SetUint64(ceiling)
		}
		if want.Uint64() != m.paid {
			t.Fatalf("rate %d, %v ns: %d, want %v", rate, spent, m.paid, want)
		}
		mark := m.paid + r.Uint64()>>(2+r.IntN(60))
		d := m.owed(mark, rate)
		if d == time.Hour {
			continue
		}
		later := m
		if later.pay(rate, d, 1<<63); later.paid < mark {
			t.Fatalf("rate %d: after %v %d is paid, not %d", rate, d, later.paid, mark)
		}
		if later = m; d > 1 {
			if later.pay(rate, d-1, 1<<63); later.paid >= mark {
				t.Fatalf("rate %d: %v is too long for %d", rate, d, mark-m.paid)
			}
		}
	}
}

func TestWorth(t *testing.T) {
	for _, c := range []struct {
		rate uint64
		d    time.Duration
		want uint64
	}{{0, time.Second, 0}, {1, time.Second, 1}, {1, time.Nanosecond, 1}, {1000, time.Millisecond, 1}, {1001, time.Millisecond, 2},
		{1<<63 - 1, time.Second, 1<<63 - 1}, {100e6, 5 * time.Millisecond, 500_000}} {
		if got := worth(c.rate, c.d); got != c.want {
			t.Errorf("%d for %v: %d, want %d", c.rate, c.d, got, c.want)
		}
	}
}

// Where nothing limits, a transfer waits for no lock and makes no garbage.
func TestFreePath(t *testing.T) {
	nodes := []*Node{new(Node), new(Node), new(Node)}
	nodes[1].Set(Rates{Down: 1e9})
	nodes[1].Set(Rates{})
	l := Chain(true, nodes...)
	for _, n := range nodes {
		n.down.mu.Lock() // a transfer that wants it never ends
		defer n.down.mu.Unlock()
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	allocs := testing.AllocsPerRun(100, func() {
		if n := l.Slice(); n != freeSlice {
			t.Errorf("slice %d", n)
		}
		if err := l.Wait(ctx, freeSlice); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// A wait makes no garbage either, once the first has made its timer.
func TestWaitMakesNoGarbage(t *testing.T) {
	l := Chain(true, NewNode(Rates{Down: 1e9}), NewNode(Rates{Down: 1e9}))
	if err := l.Wait(t.Context(), l.Slice()); err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(100, func() { _ = l.Wait(t.Context(), l.Slice()) })
	if allocs >= 1 {
		t.Errorf("%v allocations", allocs)
	}
}
