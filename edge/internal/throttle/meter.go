package throttle

import (
	"math/bits"
	"time"
)

// meter counts the bytes that the passing of time has paid for, at one rate.
type meter struct {
	paid uint64 // bytes
	part uint64 // billionths of a byte beyond paid
}

// pay adds what rate pays in elapsed, but not beyond ceiling. What lies above it
// already stays.
func (m *meter) pay(rate uint64, elapsed time.Duration, ceiling uint64) {
	if m.paid >= ceiling {
		return
	}
	hi, lo := bits.Mul64(rate, uint64(elapsed))
	lo, carry := bits.Add64(lo, m.part, 0)
	hi += carry
	if hi < uint64(time.Second) { // else more bytes than a counter holds
		whole, part := bits.Div64(hi, lo, uint64(time.Second))
		if whole < ceiling-m.paid {
			m.paid, m.part = m.paid+whole, part
			return
		}
	}
	m.paid, m.part = ceiling, 0
}

// owed is the time in which rate pays for everything up to mark; 0 if it is paid.
func (m *meter) owed(mark, rate uint64) time.Duration {
	if m.paid >= mark {
		return 0
	}
	hi, lo := bits.Mul64(mark-m.paid, uint64(time.Second))
	lo, borrow := bits.Sub64(lo, m.part, 0)
	hi -= borrow
	if hi >= rate { // longer than a duration holds; ask again in an hour
		return time.Hour
	}
	d, rest := bits.Div64(hi, lo, rate)
	if rest > 0 {
		d++
	}
	return time.Duration(min(d, uint64(time.Hour)))
}

// forget gives up what was paid in advance of debited.
func (m *meter) forget(debited uint64) {
	if m.paid >= debited {
		m.paid, m.part = debited, 0
	}
}

// lower keeps the time that is owed, or was paid in advance, when the rate falls
// from old to rate.
func (m *meter) lower(debited, rate, old uint64) {
	if m.paid < debited {
		m.paid = debited - scale(debited-m.paid, rate, old)
	} else {
		m.paid = debited + scale(m.paid-debited, rate, old)
	}
	m.part = 0
}

// scale returns n*rate/old, where rate is not more than old.
func scale(n, rate, old uint64) uint64 {
	hi, lo := bits.Mul64(n, rate)
	q, _ := bits.Div64(hi, lo, old)
	return q
}

// worth is what rate pays in d, at most a second; rounded up.
func worth(rate uint64, d time.Duration) uint64 {
	hi, lo := bits.Mul64(rate, uint64(d))
	n, rest := bits.Div64(hi, lo, uint64(time.Second))
	return n + min(1, rest)
}
