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
		<-time.After(2 * leftCalm)
		want(0, "few have ended")
		l.add()
		<-time.After(leftCalm / 2)
		l.add()
		<-time.After(leftCalm * 3 / 4)
		want(0, "it is not calm")
		<-time.After(leftCalm / 4)
		want(2, "it is calm")
		<-time.After(10 * leftCalm)
		want(2, "nobody has ended since")
		l.pause = 3 * leftCalm
		for range manyLeft {
			l.add()
		}
		<-time.After(2 * leftCalm)
		want(2, "the last collection has taken long")
		<-time.After(leftCalm)
		want(4, "it is time for the next")
		for range manyLeft {
			l.add()
		}
		l.stop()
		l.add()
		<-time.After(10 * leftCalm)
		want(4, "nothing is served any more")
	})
}
