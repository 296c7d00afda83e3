package edge

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// manyLeft is how many sessions have to end, or to be parked, before their leavings are
// looked after as soon as it is calm; those of a few, such as the last ones of many, wait for
// ten times as long.
const manyLeft = 16

// leftCalm is for how long nobody may have done so for it, and leftShare how many times as
// long as the last collection took: more than a fiftieth of a processor is not spent on it,
// whoever has sessions end.
const (
	leftCalm  = 500 * time.Millisecond
	leftShare = 50
	// leftLongest bounds that: on a machine with much else to do a collection takes long,
	// and descriptors are missed all the same.
	leftLongest = 10 * leftCalm
)

// leavings has what sessions leave behind that end, or go to rest, given back once it has
// become calm: stacks, buffers, what a login takes. A busy server collects by itself; one
// that has nothing to do any more would wait for minutes, and with it the pipes of the
// runtime, through which uploads are spliced into files: two descriptors for each upload that
// ran at the same time. The zero value is ready for use.
type leavings struct {
	mu    sync.Mutex
	ended int // since the last collection
	timer *time.Timer
	pause time.Duration // how long it has to be calm; 0 is leftCalm
	last  bool          // stop was called
}

// add notes that the goroutine of a session has ended.
func (l *leavings) add() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last {
		return
	}
	calm := 10 * leftCalm
	if l.ended++; l.ended >= manyLeft {
		calm = leftCalm
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(max(l.pause, calm), l.collect)
		return
	}
	l.timer.Reset(max(l.pause, calm))
}

// collect collects twice, as a sync.Pool keeps what it has for one more cycle, and gives the
// memory back to the system.
func (l *leavings) collect() {
	l.mu.Lock()
	l.ended = 0
	l.mu.Unlock()
	began := time.Now()
	runtime.GC()
	debug.FreeOSMemory()
	l.mu.Lock()
	l.pause = min(leftShare*time.Since(began), leftLongest)
	l.mu.Unlock()
}

// stop sees to it that nothing is collected any more.
func (l *leavings) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = true
	if l.timer != nil {
		l.timer.Stop()
	}
}
