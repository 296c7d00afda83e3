package defender

import (
	"math"
	"time"
)

// pieces is how many parts the time for which something counts is divided into.
const pieces = 8

// window is a sum over the last while. What is added counts for the whole of the
// width at least, and for an eighth of it more at most.
type window struct {
	parts [pieces + 1]uint16
	last  int64 // the number of the piece that was added to last
}

// turn forgets what is over by now. Ticks are above zero; an earlier one than the
// last turns nothing back.
func (w *window) turn(at, width time.Duration) {
	now := int64(at / max(1, width/pieces))
	switch gap := now - w.last; {
	case gap <= 0:
		return
	case gap > pieces:
		w.parts = [pieces + 1]uint16{}
	default:
		for i := w.last + 1; i <= now; i++ {
			w.parts[i%(pieces+1)] = 0
		}
	}
	w.last = now
}

func (w *window) add(at, width time.Duration, n int) {
	w.turn(at, width)
	p := &w.parts[w.last%(pieces+1)]
	*p = uint16(min(int(*p)+n, math.MaxUint16))
}

// sum returns what counts now.
func (w *window) sum(at, width time.Duration) int {
	w.turn(at, width)
	n := 0
	for _, p := range w.parts {
		n += int(p)
	}
	return n
}
