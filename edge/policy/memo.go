package policy

import "sync/atomic"

// Memo is a place in which whoever writes a session's facts out for its policies
// keeps what it wrote: they rarely change from one question to the next. All copies
// of a Session share it. Whoever reads it has to compare what it was made of. The
// zero value is empty; a nil Memo keeps nothing.
type Memo struct{ kept atomic.Value }

// Kept returns what was kept last, nil if nothing was.
func (m *Memo) Kept() any {
	if m == nil {
		return nil
	}
	return m.kept.Load()
}

// Keep keeps v, which must not be nil, must not be changed any more, and must be of
// the same type in all calls.
func (m *Memo) Keep(v any) {
	if m != nil {
		m.kept.Store(v)
	}
}
