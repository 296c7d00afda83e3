package chain_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

const queueLength = 8192 // as the queue has it

func TestObserveOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []uint64
		seen := &fake{observe: func(_ context.Context, e *policy.Event) error {
			got = append(got, e.Request)
			return nil
		}}
		deaf := labelled("x")
		c := start(t, seen, deaf)
		l := c.Lease(1)
		for n := range uint64(1000) {
			l.Observe(event(n))
		}
		l.Release()
		c.Close()
		if len(got) != 1000 {
			t.Fatalf("%d events arrived", len(got))
		}
		for i, n := range got {
			if n != uint64(i) {
				t.Fatalf("event %d arrived as number %d", n, i)
			}
		}
		if deaf.asked.Load() != 0 {
			t.Error("a policy that observes nothing was called")
		}
	})
}

// TestObserveCopies holds that an event may change while it waits for its observers.
func TestObserveCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn, users := make(chan struct{}), make(chan string, 2)
		slow := &fake{observe: func(_ context.Context, e *policy.Event) error {
			<-goOn
			users <- e.Session.User + " " + e.Text
			return nil
		}}
		c := start(t, slow)
		l := c.Lease(1)
		e := event(1)
		e.Session.User = "joe"
		l.Observe(e)
		e.Session, e.Text = &policy.Session{ID: e.Session.ID}, "another"
		l.Observe(e)
		l.Release()
		close(goOn)
		if a, b := <-users, <-users; a != "joe " || b != " another" {
			t.Errorf("%q and %q", a, b)
		}
	})
}

// TestObserveOverflow blocks an observer: nobody waits for it, the oldest events
// are dropped, and exactly those are counted. Another observer loses none.
func TestObserveOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		var got, other []uint64
		slow := &fake{observe: func(_ context.Context, e *policy.Event) error {
			<-goOn
			got = append(got, e.Request)
			return nil
		}}
		quick := &fake{observe: func(_ context.Context, e *policy.Event) error {
			other = append(other, e.Request)
			return nil
		}}
		c := start(t, slow, quick)
		l := c.Lease(1)
		const extra = 500
		l.Observe(event(0))
		synctest.Wait() // the observer holds this one
		for n := uint64(1); n <= queueLength+extra; n++ {
			if l.Observe(event(n)); n%1000 == 0 {
				synctest.Wait() // lets the quick one keep up
			}
		}
		l.Release()
		if st := c.Status()[0].Events; st.Dropped != extra || st.Queued != queueLength+1 { // and the one in hand
			t.Errorf("%d dropped and %d queued, want %d and %d", st.Dropped, st.Queued, extra, queueLength+1)
		}
		close(goOn)
		c.Close()
		if len(got) != queueLength+1 || got[0] != 0 || got[1] != extra+1 || got[len(got)-1] != queueLength+extra {
			t.Errorf("%d events, from %d and %d to %d", len(got), got[0], got[1], got[len(got)-1])
		}
		if len(other) != queueLength+extra+1 {
			t.Errorf("the other observer got %d events", len(other))
		}
	})
}

func TestObserveError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, &fake{observe: func(_ context.Context, e *policy.Event) error {
			if e.Request%2 == 0 {
				return errors.New("broken")
			}
			return nil
		}})
		l := c.Lease(1)
		defer l.Release()
		for n := range uint64(10) {
			l.Observe(event(n))
		}
		<-time.After(10 * time.Millisecond) // what follows the first may gather for a moment
		synctest.Wait()
		if st := c.Status()[0]; st.Calls != 10 || st.Failed != 5 || st.Events.Dropped != 0 || st.Events.Queued != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestObserveAtSwap holds that events which wait when a policy is replaced are
// still handed to it, before it is closed.
func TestObserveAtSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		old := &fake{observe: func(context.Context, *policy.Event) error { <-goOn; return nil }}
		next := &fake{observe: func(context.Context, *policy.Event) error { return nil }}
		c := start(t, old)
		l := c.Lease(1)
		for n := range uint64(100) {
			l.Observe(event(n))
		}
		swap(t, c, "a", next)
		l.Observe(event(100)) // the lease's own observer
		l.Release()
		later := c.Lease(1)
		later.Observe(event(101))
		later.Release()
		synctest.Wait()
		if old.closed.Load() != 0 || next.asked.Load() != 1 {
			t.Error("closed with events waiting, or the event went to the wrong one")
		}
		close(goOn)
		synctest.Wait()
		if old.asked.Load() != 101 || old.late.Load() != 0 || old.closed.Load() != 1 {
			t.Errorf("%d events, %d after the end, closed %d times", old.asked.Load(), old.late.Load(), old.closed.Load())
		}
	})
}

// TestCloseWithSlowObserver holds that an observer which heeds its context does
// not keep the chain from closing, and that what it loses is lost knowingly.
func TestCloseWithSlowObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fake{observe: func(ctx context.Context, _ *policy.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		c := start(t, slow)
		l := c.Lease(1)
		for n := range uint64(100) {
			l.Observe(event(n))
		}
		l.Release()
		began := time.Now()
		c.Close()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Close took %v", took)
		}
		if slow.asked.Load() != 1 || slow.closed.Load() != 1 {
			t.Errorf("asked %d times, closed %d times", slow.asked.Load(), slow.closed.Load())
		}
		if st := c.Status()[0]; st.Events.Dropped != 99 || st.Failed != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// The end of a server that is aborted brings events of its own: an observer that takes
// them is given the time to, also when everything is to end at once.
func TestCloseAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []uint64
		seen := &fake{observe: func(ctx context.Context, e *policy.Event) error {
			select {
			case <-time.After(10 * time.Millisecond):
				got = append(got, e.Request)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		c := start(t, seen)
		l := c.Lease(1)
		for n := range uint64(5) {
			l.Observe(event(n))
		}
		l.Release()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.CloseWithin(over); err != nil || len(got) != 5 || seen.closed.Load() != 1 {
			t.Errorf("%v; %d events arrived, closed %d times", err, len(got), seen.closed.Load())
		}
	})
}
