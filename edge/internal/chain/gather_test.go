package chain_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// TestObserveGathers holds that the first event after a pause is told at once, that
// what follows waits for two milliseconds at most, or until 256 have gathered, and not
// at all when the chain closes.
func TestObserveGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &fake{observe: func(context.Context, *policy.Event) error { return nil }}
		c := start(t, seen)
		l := c.Lease(1)
		told := func(want int64, when string) {
			t.Helper()
			synctest.Wait()
			if got := seen.asked.Load(); got != want {
				t.Fatalf("%s: %d events were told, want %d", when, got, want)
			}
			st := c.Status()[0].Events
			if st.Added != st.Delivered+st.Lost+st.Dropped+uint64(st.Queued) {
				t.Fatalf("%s: %+v", when, st)
			}
		}
		l.Observe(event(0))
		told(1, "after a pause")
		l.Observe(event(1))
		l.Observe(event(2))
		told(1, "before the moment is over")
		<-time.After(2 * time.Millisecond)
		told(3, "after it")
		for n := range uint64(255) {
			l.Observe(event(n))
		}
		told(3, "before the heap is full")
		l.Observe(event(255))
		told(259, "as it is full")
		<-time.After(4 * time.Millisecond)
		l.Observe(event(300))
		told(260, "after the next pause")
		l.Observe(event(301))
		l.Release()
		began := time.Now()
		c.Close()
		if took := time.Since(began); took != 0 || seen.asked.Load() != 261 {
			t.Errorf("Close took %v; %d events were told", took, seen.asked.Load())
		}
	})
}
