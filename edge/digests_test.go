package edge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
)

var errGone = errors.New("the client has gone")

// TestDigestTurns: no more than the turns run, of one user all but one, and nobody waits for
// longer than the limit.
func TestDigestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(3, time.Hour).(*turns)
		var running, most atomic.Int64
		work := func(user string, d time.Duration) error {
			_, done, err := turns.Take(t.Context(), user)
			if err != nil {
				return err
			}
			defer done()
			n := running.Add(1)
			most.Store(max(n, most.Load()))
			<-time.After(d)
			running.Add(-1)
			return nil
		}
		var all sync.WaitGroup
		began := time.Now()
		for range 4 {
			all.Go(func() {
				if err := work("greedy", 10*time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := running.Load(); n != 2 {
			t.Errorf("%d of one user run", n)
		}
		if err := work("other", time.Second); err != nil || time.Since(began) != time.Second {
			t.Errorf("somebody else had a turn after %v, %v", time.Since(began), err)
		}
		all.Wait()
		if took := time.Since(began); took != 20*time.Second || most.Load() != 3 {
			t.Errorf("it took %v, %d at once", took, most.Load())
		}

		for range 3 {
			all.Go(func() { _ = work(fmt.Sprint(&all, running.Load()), time.Minute) })
			synctest.Wait()
		}
		began = time.Now()
		if err := work("late", 0); !errors.Is(err, pi.ErrNoTurn) || time.Since(began) != turnWait {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errGone)
		if _, _, err := turns.Take(ctx, "gone"); !errors.Is(err, errGone) {
			t.Error(err)
		}
		all.Wait()
		if turns.all != 0 || len(turns.users) != 0 || len(turns.slots) != 0 {
			t.Errorf("%d are still counted, of %d users, with %d turns", turns.all, len(turns.users), len(turns.slots))
		}
	})
}

// TestDigestQueue: a crowd is told at once.
func TestDigestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(1, 0)
		ctx, _, err := turns.Take(t.Context(), "first")
		if _, limited := ctx.Deadline(); err != nil || limited {
			t.Fatal(err, limited)
		}
		var all sync.WaitGroup
		refused := func(n int, user func(int) string) int64 {
			var refused atomic.Int64
			for i := range n {
				all.Go(func() {
					began := time.Now()
					if _, _, err := turns.Take(t.Context(), user(i)); errors.Is(err, pi.ErrNoTurn) && time.Since(began) == 0 {
						refused.Add(1)
					}
				})
			}
			synctest.Wait()
			return refused.Load()
		}
		if n := refused(20, func(int) string { return "second" }); n != 20-9 {
			t.Errorf("%d of 20 of one user were refused at once", n)
		}
		if n := refused(20, func(i int) string { return fmt.Sprint(i) }); n != 20-7 {
			t.Errorf("%d of 20 others were refused at once", n)
		}
		all.Wait()
	})
}

func TestNoTurns(t *testing.T) {
	if turns := newTurns(-1, time.Minute); turns != nil {
		t.Errorf("%v", turns)
	}
	if n := cap(newTurns(0, 0).(*turns).slots); n < 1 {
		t.Errorf("%d turns by default", n)
	}
}
