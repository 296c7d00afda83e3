package chain_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// order asks under a lease of its own and returns all labels in order.
func order(t testing.TB, c *chain.Chain) string {
	t.Helper()
	l := c.Lease(1)
	defer l.Release()
	return who(t, l)
}

// TestSwapAll holds that several slots change at once or not at all.
func TestSwapAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[string]*fake{"A1": labelled("A1"), "B1": labelled("B1"), "C1": labelled("C1"), "A2": labelled("A2"), "C2": labelled("C2")}
		c := start(t, all["A1"], all["B1"], all["C1"])
		l := c.Lease(1)
		numbers, err := c.SwapAll(chain.Slot{Name: "c", Policy: all["C2"]}, chain.Slot{Name: "a", Policy: all["A2"]})
		if err != nil || len(numbers) != 2 || numbers[0] != 2 || numbers[1] != 2 {
			t.Fatalf("%v, %v", numbers, err)
		}
		if got, old := order(t, c), who(t, l); got != "A2B1C2" || old != "A1B1C1" || c.Draining() != 1 {
			t.Errorf("%s and %s, %d generations drain", got, old, c.Draining())
		}
		l.Release()
		synctest.Wait()
		open(t, all, "A2", "B1", "C2")

		x, y := labelled("x"), labelled("y")
		for name, bad := range map[string][]chain.Slot{
			"no such slot":    {{Name: "a", Policy: x}, {Name: "z", Policy: y}},
			"one slot twice":  {{Name: "a", Policy: x}, {Name: "a", Policy: y}},
			"one value twice": {{Name: "a", Policy: x}, {Name: "b", Policy: x}},
			"another's value": {{Name: "a", Policy: x}, {Name: "b", Policy: all["C2"]}},
			"no policy":       {{Name: "a", Policy: x}, {Name: "b"}},
			"an interest": {{Name: "a", Policy: x},
				{Name: "b", Policy: caring(policy.Interest{Paths: []string{"x"}}, policy.Answer{})}},
			"a mode": {{Name: "a", Policy: x}, {Name: "b", Policy: y,
				Options: chain.Options{FailOpen: []policy.Stage{policy.StageAuth}}}},
		} {
			if _, err := c.SwapAll(bad...); err == nil || order(t, c) != "A2B1C2" {
				t.Errorf("%s: %v", name, err)
			}
		}
		synctest.Wait()
		if x.closed.Load()+y.closed.Load() != 0 || c.Draining() != 0 {
			t.Error("a policy that was not taken was closed")
		}
		if numbers, err := c.SwapAll(chain.Slot{Name: "a", Policy: x}); err != nil || numbers[0] != 3 {
			t.Errorf("a refused swap has used up a number: %v, %v", numbers, err)
		}
	})
}

// TestSwapSame holds that the value which is in the slot stays there, open.
func TestSwapSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := labelled("p")
		c := start(t, p)
		if n, err := c.Swap("a", p); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		synctest.Wait()
		if p.closed.Load() != 0 || order(t, c) != "p" {
			t.Error("it was closed")
		}
		if _, err := c.Canary("a", p, chain.Trial{}); err == nil {
			t.Error("it is on trial against itself")
		}
	})
}

// TestReplace reorders, adds and removes slots, and keeps what is the same.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[string]*fake{"A": labelled("A"), "B": labelled("B"), "C": labelled("C"), "D": labelled("D"), "E": labelled("E")}
		c := start(t, all["A"], all["B"], all["C"])
		_ = order(t, c)
		replace := func(slots ...chain.Slot) {
			t.Helper()
			if err := c.Replace(slots...); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		slot := func(name, p string) chain.Slot { return chain.Slot{Name: name, Policy: all[p]} }
		replace(slot("c", "C"), slot("d", "D"), slot("a", "A"))
		open(t, all, "A", "C", "D", "E")
		if got := order(t, c); got != "CDA" {
			t.Errorf("%s", got)
		}
		st := c.Status()
		if st[0].Name != "c" || st[0].Generation != 1 || st[0].Calls != 2 || st[1].Calls != 1 {
			t.Errorf("the counters of what stayed: %+v", st)
		}
		replace(slot("c", "C"), slot("d", "D"), slot("a", "A"))
		if c.Draining() != 0 || c.Status()[2].Calls != 2 {
			t.Error("the same list has changed something")
		}
		replace(slot("a", "E"), slot("c", "C"), slot("d", "D"))
		open(t, all, "C", "D", "E")
		if st := c.Status()[0]; st.Generation != 2 || order(t, c) != "ECD" {
			t.Errorf("%+v", st)
		}
		for name, bad := range map[string][]chain.Slot{
			"a name twice":       {slot("c", "C"), {Name: "c", Policy: labelled("x")}},
			"a value moves":      {slot("x", "C"), slot("d", "D")},
			"options of a value": {{Name: "c", Policy: all["C"], Options: chain.Options{FailOpen: []policy.Stage{policy.StageFS}}}},
		} {
			if err := c.Replace(bad...); err == nil || order(t, c) != "ECD" {
				t.Errorf("%s: %v", name, err)
			}
		}
		replace()
		open(t, all)
		if len(c.Status()) != 0 {
			t.Error("something is left")
		}
		if l := c.Lease(1); !l.Held() || who(t, l) != "" {
			t.Error("an empty list refuses")
		} else {
			l.Release()
		}
		again := labelled("again")
		replace(chain.Slot{Name: "a", Policy: again})
		if st := c.Status()[0]; st.Generation != 3 {
			t.Errorf("the number of a name that came back is %d", st.Generation)
		}
		c.Close()
		if err := c.Replace(); !errors.Is(err, chain.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

// guard is a labelled policy that looks at the bytes of transfers.
func guard(label string) *custom {
	return &custom{labelled(label), func(h *policy.Hooks) { h.Filter = passes{} }}
}

type passes struct{}

func (passes) Filter(context.Context, *policy.Chunk) (policy.Piece, error) {
	return policy.Piece{}, nil
}

// TestDataPins holds that generations through which bytes pass outlive the drain
// limit, and that the swap which would make them too many is refused until one has
// ended.
func TestDataPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := with(t, chain.Config{DataPins: 2, DrainLimit: time.Second}, chain.Slot{Name: "a", Policy: guard("0")})
		var leases []chain.Lease
		for _, next := range []string{"1", "2"} {
			leases = append(leases, c.Lease(1))
			swap(t, c, "a", guard(next))
		}
		leases = append(leases, c.Lease(1))
		<-time.After(time.Hour)
		if who(t, leases[0]) != "0" || who(t, leases[1]) != "1" || c.Draining() != 2 {
			t.Error("a generation with a filter was ended under its transfer")
		}
		third := guard("3")
		if _, err := c.Swap("a", third); !errors.Is(err, chain.ErrPinned) {
			t.Errorf("Swap: %v", err)
		}
		if err := c.Replace(); !errors.Is(err, chain.ErrPinned) {
			t.Errorf("Replace: %v", err)
		}
		if _, err := c.Canary("a", third, chain.Trial{}); !errors.Is(err, chain.ErrPinned) {
			t.Errorf("Canary: %v", err)
		}
		leases[0].Release()
		synctest.Wait()
		swap(t, c, "a", third)
		if who(t, leases[2]) != "2" || order(t, c) != "3" {
			t.Error("the third swap did not hold")
		}
		leases[1].Release()
		leases[2].Release()
		synctest.Wait()
		if c.Draining() != 0 {
			t.Errorf("%d generations drain", c.Draining())
		}
	})
}

// TestTapPinsNothing holds that a filter which only listens is drained like the
// rest.
func TestTapPinsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap := &custom{labelled("0"), func(h *policy.Hooks) { h.Filter, h.Tap = passes{}, true }}
		c := with(t, chain.Config{DataPins: 1, DrainLimit: time.Second}, chain.Slot{Name: "a", Policy: tap})
		l := c.Lease(1)
		defer l.Release()
		for range 3 {
			swap(t, c, "a", labelled("1"))
		}
		<-time.After(time.Second)
		synctest.Wait()
		if c.Draining() != 0 || tap.closed.Load() != 1 || who(t, l) != "1" {
			t.Errorf("%d generations drain", c.Draining())
		}
	})
}

// TestLateEvents holds that an event is marked when it is told to policies that did
// not judge the command.
func TestLateEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []bool
		seen := func() *fake {
			return &fake{observe: func(_ context.Context, e *policy.Event) error { got = append(got, e.Late); return nil }}
		}
		c := with(t, chain.Config{DrainLimit: time.Second}, chain.Slot{Name: "a", Policy: seen()})
		l := c.Lease(1)
		l.Observe(event(1))
		swap(t, c, "a", seen())
		l.Observe(event(2))
		<-time.After(2 * time.Second)
		synctest.Wait()
		l.Observe(event(3))
		l.Release()
		synctest.Wait()
		if len(got) != 3 || got[0] || got[1] || !got[2] {
			t.Errorf("%v", got)
		}
	})
}
