package edge

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// collections is how often somebody has asked for one.
func collections() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumForcedGC
}

func TestLeavings(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	synctest.Test(t, func(t *testing.T) {
		var l leavings
		pass := func(d time.Duration) { <-time.After(d) }
		before := collections()
		want := func(n uint32, what string) {
			t.Helper()
			synctest.Wait()
			if got := collections() - before; got != n {
				t.Errorf("%s: %d collections instead of %d", what, got, n)
			}
		}
		for range manyLeft - 1 {
			l.add()
		}
		pass(2 * leftCalm)
		want(0, "few have ended")
		l.add()
		pass(leftCalm / 2)
		l.add()
		pass(leftCalm * 3 / 4)
		want(0, "it is not calm")
		pass(leftCalm / 4)
		want(2, "it is calm")
		pass(20 * leftCalm)
		want(2, "nobody has ended since")
		l.pause = 0
		l.add()
		pass(10 * leftCalm)
		want(4, "one has ended, and it has long been calm")
		before += 2
		l.pause = 3 * leftCalm
		for range manyLeft {
			l.add()
		}
		pass(2 * leftCalm)
		want(2, "the last collection has taken long")
		pass(leftCalm)
		want(4, "it is time for the next")
		for range manyLeft {
			l.add()
		}
		l.stop()
		l.add()
		pass(10 * leftCalm)
		want(4, "nothing is served any more")
	})
}
