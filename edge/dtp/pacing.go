package dtp

import "os"

// even finds out whether slices may be larger because the kernel sends them evenly.
func (m *mover) even() {
	if s, ok := m.Limiter.(Spreader); ok && m.wire != nil && !m.bursts {
		m.spread = s
	}
}

// large returns the slice that a [Spreader] permits, and whether there is one and the
// kernel does its part. A client that is to be held to a least rate near the limit would
// be blamed for what the kernel holds back.
func (m *mover) large() (n int, ok bool) {
	if m.spread == nil {
		return 0, false
	}
	n, rate := m.spread.Spread()
	if rate > 0 && rate/2 < m.Least || !m.pace(max(0, rate)) {
		m.pace(0)
		m.spread = nil
		return 0, false
	}
	return n, true
}

// pace sets the rate at which the kernel sends, and reports whether it can.
func (m *mover) pace(rate int64) bool {
	if rate != m.rate {
		if !setPace(m.wire, rate) {
			return false
		}
		m.rate = rate
	}
	return true
}

// offer gives the kernel what it takes of the file without waiting, at most n bytes. All
// of them go if the client keeps up, and then no deadline is set for each large slice: it
// wakes the runtime long after the slice has gone, which costs a quarter.
func (m *mover) offer(file *os.File, n int64) int64 {
	if m.rate == 0 {
		return 0
	}
	return offer(m.wire, file, n)
}
