package budget

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a runtime of which tests say what it holds.
type fake struct {
	mu    sync.Mutex
	now   Reading
	reads int
	swept int
}

func (f *fake) set(total, live int64, cycle uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = Reading{total, live, cycle}
}

func (f *fake) read() Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return f.now
}

func (f *fake) collect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.swept++
	f.now.Total = f.now.Live
	f.now.Cycle++
}

// pass lets the last reading become old.
func pass() { <-time.After(readEvery) }

func TestHysteresis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		var told []string
		m := newMemory(1000, f.read, func() {}, func(shut bool, used, limit int64) { told = append(told, fmt.Sprint(shut, used)) })
		for i, step := range []struct {
			total, live int64
			let         bool
		}{{100, 100, true}, {899, 899, true}, {900, 900, false}, {850, 850, false}, {800, 800, false}, {799, 799, true}, {850, 850, true},
			{2000, 850, true}, {2000, 901, false}, {700, 900, true}} {
			f.set(step.total, step.live, uint64(i))
			pass()
			if got := m.Enter(0); got != step.let {
				t.Errorf("step %d: %v", i, got)
			}
		}
		if got, want := fmt.Sprint(told), "[true 900 false 799 true 901 false 700]"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		if st := m.State(); st.Turned != 4 || st.Shut || st.Limit != 1000 || st.Used != 700 {
			t.Errorf("%+v", st)
		}
		synctest.Wait()
	})
}

// What was reserved since a reading counts, once.
func TestReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(300, 300, 1)
		m := newMemory(1000, f.read, func() {}, nil)
		for i := range 7 {
			if got := m.Take(100); got != (i < 6) {
				t.Errorf("the %d. hundred beside 300: %v", i+1, got)
			}
		}
		// It was allocated now, and a collection has seen it: nothing counts twice.
		f.set(950, 900, 2)
		pass()
		m.latest()
		f.set(950, 900, 3)
		pass()
		if st := m.State(); st.Used != 900 || st.Refused != 1 {
			t.Errorf("allocated: %+v", st)
		}
		if !m.Take(50) || m.Take(1) {
			t.Error("50 beside 900 are 95 %, no more")
		}
		m.Give(50)
		for range 6 {
			m.Give(100)
		}
		if n := m.held.Load(); n != 0 {
			t.Errorf("%d are still reserved", n)
		}
		synctest.Wait()
	})
}

// A collection that came before what was reserved does not make that forgotten.
func TestReservedBeforeCollection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(2000, 100, 1) // full of garbage: only what is alive can tell
		m := newMemory(1000, f.read, f.collect, nil)
		if !m.Take(500) {
			t.Fatal("500 beside 100 were refused")
		}
		f.set(2000, 100, 2)
		pass()
		if used := m.State().Used; used != 600 {
			t.Errorf("%d in use, reserved since the last sample before the collection: 600", used)
		}
	})
}

// The runtime is asked now and then, and made to collect now and then.
func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(950, 950, 1)
		m := newMemory(1000, f.read, f.collect, nil)
		began := time.Now()
		for time.Since(began) < 10*time.Second {
			for range 10 {
				if m.Enter(1) {
					t.Fatal("let in")
				}
			}
			<-time.After(5 * time.Millisecond)
		}
		synctest.Wait()
		if f.swept < 4 || f.swept > 6 {
			t.Errorf("collected %d times in 10 s, want every 2 s", f.swept)
		}
		if f.reads > 10*1000/20+2 {
			t.Errorf("read %d times in 10 s", f.reads)
		}
	})
}

// Who is turned away as the garbage of others is in the way, is let in soon.
func TestSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(990, 950, 1)
		m := newMemory(1000, f.read, func() { f.set(100, 100, 2) }, nil)
		if m.Enter(1) {
			t.Fatal("let in at 95 %")
		}
		synctest.Wait()
		pass()
		if !m.Enter(1) {
			t.Error("what has gone is still counted")
		}
	})
}

func TestNoLimit(t *testing.T) {
	for _, m := range []*Memory{nil, New(0, nil), New(-1, nil)} {
		if !m.Enter(1<<40) || !m.Take(1<<40) || m.State() != (State{}) {
			t.Error("a budget without a limit has one")
		}
		m.Give(1)
	}
}

// A limit may come and go. What was reserved without one counts when there is one.
func TestSetLimit(t *testing.T) {
	f := &fake{}
	f.set(0, 0, 1)
	var told []string
	m := newMemory(0, f.read, func() {}, func(shut bool, _, limit int64) { told = append(told, fmt.Sprint(shut, limit)) })
	if !m.Enter(95) {
		t.Fatal("without a limit somebody was turned away")
	}
	m.SetLimit(100)
	if m.Enter(1) || m.Take(1) {
		t.Error("what was reserved before the limit does not count")
	}
	m.SetLimit(1000)
	if !m.Enter(1) {
		t.Error("a higher limit leaves no room")
	}
	m.SetLimit(100)
	if m.Enter(1) {
		t.Error("a lower limit leaves room")
	}
	m.SetLimit(0)
	if !m.Enter(1) || m.State().Limit != 0 {
		t.Error("a limit that is gone holds")
	}
	if got := fmt.Sprint(told); got != "[true 100 false 1000 true 100 false 0]" {
		t.Errorf("told: %s", got)
	}
}

// Many at once never get more than there is.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no time passes, and so there is one reading
		f := &fake{}
		f.set(0, 0, 1)
		m := newMemory(1000, f.read, func() {}, nil)
		var in atomic.Int64
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 100 {
					if m.Take(10) {
						in.Add(1)
					}
				}
			})
		}
		all.Wait()
		if n := in.Load(); n > 95 || n < 40 {
			t.Errorf("%d of 95 tens were had", n)
		}
	})
}

// TestRuntime: what the runtime says follows what is there.
func TestRuntime(t *testing.T) {
	const size = 64 << 20
	runtime.GC()
	before := read()
	b := make([]byte, size)
	for i := range b {
		b[i] = 1
	}
	if got := read(); got.Total-before.Total < size*9/10 {
		t.Errorf("%d more in use after 64 MiB were", got.Total-before.Total)
	}
	runtime.GC()
	if got := read(); got.Live-before.Live < size*9/10 || got.Live > got.Total || got.Cycle <= before.Cycle {
		t.Errorf("%+v after %+v", got, before)
	}
	runtime.KeepAlive(b)
	b = nil
	debug.FreeOSMemory()
	if got := read(); got.Live-before.Live > size/10 || got.Total-before.Total > size/2 {
		t.Errorf("it has gone: %+v after %+v", got, before)
	}
}

// BenchmarkEnter is what an admission costs, among it its share of the readings.
func BenchmarkEnter(b *testing.B) {
	m := New(1<<40, nil)
	b.ReportAllocs()
	for b.Loop() {
		m.Enter(1)
		m.Give(1)
	}
}

func BenchmarkEnterParallel(b *testing.B) {
	m := New(1<<40, nil)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.Enter(1)
			m.Give(1)
		}
	})
}

// BenchmarkRead is what a reading costs.
func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		read()
	}
}
