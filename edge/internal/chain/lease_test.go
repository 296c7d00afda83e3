package chain_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// labelled is a policy that can be told by its answers.
func labelled(label string) *fake { return says(policy.Answer{Label: label}) }

// who asks the lease and returns the labels of those that answered.
func who(t testing.TB, l chain.Lease) string {
	t.Helper()
	g, d := l.Authorize(t.Context(), action(policy.OpRead, "/p"))
	if d != nil {
		t.Fatal(d)
	}
	out := ""
	for _, label := range g.Labels {
		out += label
	}
	return out
}

func swap(t testing.TB, c *chain.Chain, name string, p policy.Policy) {
	t.Helper()
	if _, err := c.Swap(name, p); err != nil {
		t.Fatal(err)
	}
}

// open fails unless exactly the named policies are open and the rest was closed
// once.
func open(t testing.TB, all map[string]*fake, want ...string) {
	t.Helper()
	still := map[string]bool{}
	for _, n := range want {
		still[n] = true
	}
	for n, f := range all {
		if got := f.closed.Load(); got != 0 && still[n] || got != 1 && !still[n] {
			t.Errorf("%s was closed %d times", n, got)
		}
	}
}

func TestNewRefusesEqualNames(t *testing.T) {
	conf := chain.Config{Clean: clean}
	if _, err := chain.New(conf, chain.Slot{Name: "x", Policy: &fake{}}, chain.Slot{Name: "x", Policy: &fake{}}); err == nil {
		t.Error("two slots have one name")
	}
}

// TestSwapUnderLeases swaps both slots while leases are out: each lease is
// answered by what it took, and each policy is closed, once, when nothing can
// ask it any more.
func TestSwapUnderLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[string]*fake{"A1": labelled("A1"), "A2": labelled("A2"), "B1": labelled("B1"), "B2": labelled("B2")}
		c := start(t, all["A1"], all["B1"])
		first := c.Lease(1)
		swap(t, c, "a", all["A2"])
		second := c.Lease(1)
		swap(t, c, "b", all["B2"])
		third := c.Lease(1)
		synctest.Wait()
		if a, b, d := who(t, first), who(t, second), who(t, third); a != "A1B1" || b != "A2B1" || d != "A2B2" {
			t.Errorf("%s, %s, %s", a, b, d)
		}
		if c.Draining() != 2 {
			t.Errorf("%d generations drain", c.Draining())
		}
		open(t, all, "A1", "A2", "B1", "B2")
		second.Release()
		synctest.Wait()
		open(t, all, "A1", "A2", "B1", "B2") // B1 serves the first lease too
		first.Release()
		synctest.Wait()
		open(t, all, "A2", "B2")
		third.Release()
		synctest.Wait()
		open(t, all, "A2", "B2")
		if c.Draining() != 0 {
			t.Errorf("%d generations drain", c.Draining())
		}
		c.Close()
		open(t, all)
	})
}

func TestSwapNumbers(t *testing.T) {
	c := start(t, labelled("A1"), labelled("B1"))
	for want := uint64(2); want < 5; want++ {
		if n, err := c.Swap("b", labelled("B")); err != nil || n != want {
			t.Errorf("%d, %v; want %d", n, err, want)
		}
	}
	if n, err := c.Swap("a", labelled("A")); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	st := c.Status()
	if len(st) != 2 || st[0].Generation != 2 || st[1].Generation != 4 {
		t.Errorf("%+v", st)
	}
	mine := labelled("mine")
	if _, err := c.Swap("z", mine); !errors.Is(err, chain.ErrNoSlot) {
		t.Errorf("a slot that does not exist: %v", err)
	}
	c.Close()
	if _, err := c.Swap("a", mine); !errors.Is(err, chain.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if mine.closed.Load() != 0 {
		t.Error("a policy that was not taken was closed")
	}
}

// TestSwapHoldsAtOnce holds that the command after a swap is judged by the new
// policy, and that a lease goes on with its own during a question.
func TestSwapHoldsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside, goOn := make(chan struct{}), make(chan struct{})
		slow := &fake{fs: func(*policy.Action) (policy.Answer, error) {
			close(inside)
			<-goOn
			return policy.Answer{Label: "old"}, nil
		}}
		c := start(t, slow)
		answer := make(chan string)
		go func() {
			l := c.Lease(1)
			defer l.Release()
			answer <- who(t, l)
		}()
		<-inside
		swap(t, c, "a", labelled("new"))
		l := c.Lease(1)
		if got := who(t, l); got != "new" {
			t.Errorf("after the swap, %s answered", got)
		}
		l.Release()
		if slow.closed.Load() != 0 {
			t.Error("the old policy was closed during a question")
		}
		close(goOn)
		if got := <-answer; got != "old" {
			t.Errorf("the running question was answered by %s", got)
		}
		synctest.Wait()
		if slow.closed.Load() != 1 {
			t.Error("the old policy was not closed")
		}
	})
}

// TestDrainLimit holds that a lease which is out for too long loses its
// generation, and that its later questions go to the current one.
func TestDrainLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := chain.Config{Clean: clean, DrainLimit: 10 * time.Second, Log: slog.New(slog.DiscardHandler)}
		all := map[string]*fake{"1": labelled("1"), "2": labelled("2"), "3": labelled("3")}
		c, err := chain.New(conf, slots(all["1"])...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		l := c.Lease(1)
		swap(t, c, "a", all["2"])
		<-time.After(10*time.Second - 1)
		synctest.Wait()
		open(t, all, "1", "2", "3")
		if who(t, l) != "1" {
			t.Error("the lease lost its generation too early")
		}
		<-time.After(1)
		synctest.Wait()
		open(t, all, "2", "3")
		if who(t, l) != "2" || c.Draining() != 0 {
			t.Error("the lease was not handed to the current generation")
		}
		swap(t, c, "a", all["3"])
		synctest.Wait()
		open(t, all, "3") // a lease that was handed over pins nothing
		if who(t, l) != "3" {
			t.Error("the lease did not follow")
		}
		l.Release()
		synctest.Wait()
		open(t, all, "3")
	})
}

// TestDrainLimitDuringQuestion holds that even then no policy is closed under a
// running question.
func TestDrainLimitDuringQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside, goOn := make(chan struct{}), make(chan struct{})
		slow := &fake{fs: func(*policy.Action) (policy.Answer, error) {
			close(inside)
			<-goOn
			return policy.Answer{Label: "old"}, nil
		}}
		c := start(t, slow)
		l := c.Lease(1)
		answer := make(chan string)
		go func() { answer <- who(t, l) }()
		<-inside
		swap(t, c, "a", labelled("new"))
		<-time.After(time.Minute)
		synctest.Wait()
		if slow.closed.Load() != 0 {
			t.Error("the policy was closed under a question")
		}
		if got := who(t, l); got != "new" {
			t.Errorf("a second question of the lease was answered by %s", got)
		}
		l.Release()
		synctest.Wait()
		if slow.closed.Load() != 0 {
			t.Error("the release closed the policy under a question")
		}
		close(goOn)
		if got := <-answer; got != "old" {
			t.Errorf("answered by %s", got)
		}
		synctest.Wait()
		if slow.closed.Load() != 1 {
			t.Errorf("closed %d times", slow.closed.Load())
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside, goOn := make(chan struct{}), make(chan struct{})
		slow := &fake{fs: func(*policy.Action) (policy.Answer, error) {
			close(inside)
			<-goOn
			return policy.Answer{}, nil
		}}
		old := labelled("old")
		c := start(t, old)
		held := c.Lease(1)
		swap(t, c, "a", slow)
		l := c.Lease(1)
		asked := make(chan *policy.Denial)
		go func() {
			_, d := l.Authorize(context.Background(), action(policy.OpRead, "/p"))
			asked <- d
		}()
		<-inside
		closed := make(chan struct{}, 2)
		for range 2 {
			go func() { c.Close(); closed <- struct{}{} }()
		}
		synctest.Wait()
		if len(closed) != 0 || slow.closed.Load() != 0 || old.closed.Load() != 1 {
			t.Error("Close did not wait for the question")
		}
		close(goOn)
		if d := <-asked; d != nil {
			t.Errorf("a running question failed: %v", d)
		}
		<-closed
		<-closed
		if slow.closed.Load() != 1 || old.closed.Load() != 1 {
			t.Error("a policy was not closed once")
		}
		for name, l := range map[string]chain.Lease{"held": held, "late": c.Lease(1), "none": {}} {
			refuses(t, name, l)
			l.Release()
		}
		if c.Lease(1).Held() {
			t.Error("a lease was had of a closed chain")
		}
	})
}

// refuses fails unless the lease says no to everything, as the server's fault.
func refuses(t *testing.T, name string, l chain.Lease) {
	t.Helper()
	if _, d := l.Authorize(t.Context(), action(policy.OpRead, "/p")); d == nil || !d.Failed || d.Policy != "" || d.Cause == nil {
		t.Errorf("%s: a file: %+v", name, d)
	}
	if _, d := l.Authenticate(t.Context(), login("joe")); d == nil || !d.Failed {
		t.Errorf("%s: a login: %+v", name, d)
	}
	l.Observe(event(1))
}

func TestLeaseClear(t *testing.T) {
	c := start(t, labelled("x"))
	l := c.Lease(1)
	if !l.Held() {
		t.Error("nothing is held")
	}
	l.Release()
	if l.Clear(); l.Held() {
		t.Error("something is held after Clear")
	}
	l.Release() // does nothing
	if who(t, c.Lease(1)) != "x" {
		t.Error("the current generation has ended")
	}
}
