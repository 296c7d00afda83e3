package listing

import (
	"runtime"
	"sync/atomic"
)

// Helpers are the goroutines that may help listings with their next entries, of all
// listings of a server together. A listing has one at most, and only while others
// leave one over: so one client takes no more than two processors, and all together
// no more than half of them beside those that their transfers run on. A nil Helpers
// has none.
type Helpers struct{ free atomic.Int32 }

// NewHelpers returns so many helpers; below zero is one for every two processors
// that Go uses, which is none where there is one processor.
func NewHelpers(n int) *Helpers {
	if n < 0 {
		n = runtime.GOMAXPROCS(0) / 2
	}
	h := new(Helpers)
	h.free.Store(int32(n))
	return h
}

// take reports whether there was one left.
func (h *Helpers) take() bool {
	if h == nil {
		return false
	}
	for {
		n := h.free.Load()
		if n <= 0 {
			return false
		}
		if h.free.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// give gives it back.
func (h *Helpers) give() { h.free.Add(1) }
