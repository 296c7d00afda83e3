package chain

import "sync/atomic"

// refs counts what keeps a generation alive, in one word so that no second look
// is ever needed: pins (leases, and one for being the current generation) in the
// low half, running calls in the high half, and one bit that says that the pins
// were taken away because draining took too long. At zero the generation is
// dead and cannot be revived.
type refs struct{ word atomic.Uint64 }

const (
	onePin  uint64 = 1
	pinMask uint64 = 1<<32 - 1
	oneCall uint64 = 1 << 32
	forced  uint64 = 1 << 63
)

// add takes a reference unless the generation is dead or was forced to end.
func (r *refs) add(one uint64) bool {
	for {
		w := r.word.Load()
		if w == 0 || w&forced != 0 {
			return false
		}
		if r.word.CompareAndSwap(w, w+one) {
			return true
		}
	}
}

// drop gives a reference back and reports whether it was the last one. A pin
// that was taken away has nothing to give back.
func (r *refs) drop(one uint64) (last bool) {
	for {
		w := r.word.Load()
		if w&forced != 0 && one == onePin {
			return false
		}
		if r.word.CompareAndSwap(w, w-one) {
			return (w-one)&^forced == 0
		}
	}
}

// ended reports whether the pins were taken away.
func (r *refs) ended() bool { return r.word.Load()&forced != 0 }

// force takes all pins away: no call can begin any more. It reports whether
// nothing was running, so that the caller is the one to close.
func (r *refs) force() (last bool) {
	for {
		w := r.word.Load()
		if w == 0 || w&forced != 0 {
			return false
		}
		if r.word.CompareAndSwap(w, w&^pinMask|forced) {
			return w&^pinMask == 0
		}
	}
}
