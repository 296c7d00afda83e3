package chain_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// sleeper is a policy of the stages fs and event that is dormant until it is woken.
func sleeper() (*custom, *atomic.Bool) {
	awake := new(atomic.Bool)
	p := &custom{says(policy.Answer{Label: "x"}), func(h *policy.Hooks) { h.Dormant = func() bool { return !awake.Load() } }}
	p.observe = func(context.Context, *policy.Event) error { return nil }
	return p, awake
}

// TestDormant holds that a policy with nothing to do is not asked, that nothing is asked or
// made for its sake, and that it is asked at once when it wakes up, also under a lease of
// before.
func TestDormant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, awake := sleeper()
		c := start(t, p)
		l := c.Lease(1)
		defer l.Release()
		e := event(1)
		for _, up := range []bool{false, true, false, true} {
			awake.Store(up)
			before := p.asked.Load()
			if got := l.Authorizes(policy.OpRead); got != up {
				t.Errorf("awake %v: Authorizes says %v", up, got)
			}
			if got := l.Observed(e.Kind); got != up || c.Observed(1, "", e.Kind) != up {
				t.Errorf("awake %v: Observed says %v", up, got)
			}
			if g, d := l.Authorize(t.Context(), of(1, policy.OpRead, "/p")); d != nil || (len(g.Labels) == 1) != up {
				t.Errorf("awake %v: %+v, %v", up, g, d)
			}
			l.Observe(e)
			<-time.After(2 * time.Millisecond)
			synctest.Wait()
			if n := p.asked.Load() - before; up && n != 2 || !up && n != 0 {
				t.Errorf("awake %v: called %d times", up, n)
			}
		}
		if l.Authorizes(policy.OpSymlink+1) || l.Observed(policy.EventClientMoved+1) {
			t.Error("what there is not is asked about")
		}
	})
}

// TestDormantBeside holds that a dormant policy takes nothing away from those that are not.
func TestDormantBeside(t *testing.T) {
	p, _ := sleeper()
	c := start(t, p, says(policy.Answer{Label: "y"}))
	l := c.Lease(1)
	defer l.Release()
	if !l.Authorizes(policy.OpRead) || label(t, c, 1) != "y" || p.asked.Load() != 0 {
		t.Errorf("asked %d times", p.asked.Load())
	}
}

// TestDormantWakes holds, with many sessions at once, that no event is lost that happens
// after a policy has woken up.
func TestDormantWakes(t *testing.T) {
	p, awake := sleeper()
	var missed atomic.Int64
	told := make(chan uint64, 4096)
	p.observe = func(_ context.Context, e *policy.Event) error {
		told <- e.Session.ID
		return nil
	}
	c := start(t, p)
	const sessions, events = 8, 200
	done, due := make(chan struct{}), new(atomic.Int64)
	for id := range uint64(sessions) {
		go func() {
			defer func() { done <- struct{}{} }()
			l := c.Lease(id + 1)
			defer l.Release()
			for i := range events {
				if id == 0 && i == events/2 {
					awake.Store(true)
				}
				up := awake.Load()
				e := event(id + 1)
				if up {
					due.Add(1)
				}
				if up && !l.Observed(e.Kind) {
					missed.Add(1)
				}
				l.Observe(e)
			}
		}()
	}
	for range sessions {
		<-done
	}
	for range due.Load() {
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Fatalf("of %d events after it woke up some never came; %d were not to be made", due.Load(), missed.Load())
		}
	}
	if missed.Load() != 0 || due.Load() < events/2 {
		t.Errorf("%d of %d events were not to be made", missed.Load(), due.Load())
	}
}
