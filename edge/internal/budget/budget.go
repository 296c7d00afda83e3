// Package budget keeps a server within the memory that it may use: it tells when no
// further session should begin, and whether a transfer's buffers still fit.
//
// What is in use is known from two sides. The runtime says what the heap and the
// stacks hold, with the garbage in it, and what was alive when it last collected.
// The server says what it is about to take: what was reserved since a reading is
// added to it, so that a thousand who come within a millisecond are not all judged
// by the same figure. Nothing here takes a lock, and the runtime is asked at most
// every 20 ms, by one of those who want to know.
package budget

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Reading is what the runtime says of its memory, in bytes.
type Reading struct {
	Total int64  // in use, or garbage that was not collected yet
	Live  int64  // in use at the end of the last collection; what is no heap is counted as it is now
	Cycle uint64 // of the garbage collector, from 0; it changes with Live
}

// The shares of the limit.
const (
	shutPercent = 90 // from here on nobody new is let in
	openPercent = 80 // below, they are again
	fullPercent = 95 // transfers of those who are in may go so far
)

const (
	readEvery  = 20 * time.Millisecond // a Reading takes some microseconds
	sweepEvery = 2 * time.Second       // a collection takes some milliseconds
)

// Memory is a budget of memory. Nil is one without a limit. Make it with [New]; it is
// safe for concurrent use.
type Memory struct {
	limit   atomic.Int64 // bytes; 0 is none
	read    func() Reading
	collect func()
	changed func(shut bool, used, limit int64)

	held    atomic.Int64 // reserved, whether it was allocated already or not
	last    atomic.Pointer[sample]
	reading atomic.Bool
	shut    atomic.Bool
	swept   atomic.Int64 // when, in nanoseconds since 1970

	turned, refused atomic.Uint64
}

// sample is a Reading with what was reserved then.
type sample struct {
	Reading
	at     time.Time
	held   int64
	marked int64 // held of the last sample before the last collection
}

// New returns a budget of limit bytes; zero or less is no limit, for as long as
// [Memory.SetLimit] gives it none. changed, unless it is nil, is told when it shuts and
// opens, by whoever has caused that.
func New(limit int64, changed func(shut bool, used, limit int64)) *Memory {
	return newMemory(limit, read, runtime.GC, changed)
}

func newMemory(limit int64, read func() Reading, collect func(), changed func(shut bool, used, limit int64)) *Memory {
	if changed == nil {
		changed = func(bool, int64, int64) {}
	}
	m := &Memory{read: read, collect: collect, changed: changed}
	m.SetLimit(limit)
	m.last.Store(&sample{Reading: read(), at: time.Now()})
	return m
}

// SetLimit changes the limit; zero or less is none. What is reserved stays, also beyond
// the limit.
func (m *Memory) SetLimit(limit int64) { m.limit.Store(max(0, limit)) }

// Enter reserves n bytes for somebody new. It reports false, and reserves nothing,
// from 90 % of the limit on and until less than 80 % are in use.
func (m *Memory) Enter(n int64) bool {
	if m == nil {
		return true
	}
	limit := m.limit.Load()
	if limit == 0 {
		if m.shut.CompareAndSwap(true, false) {
			m.changed(false, m.used(), 0)
		}
		m.held.Add(n)
		return true
	}
	used, most := m.used(), limit/100*shutPercent
	if m.shut.Load() {
		most = limit / 100 * openPercent
	}
	if shut := used >= most; shut != m.shut.Load() && m.shut.CompareAndSwap(!shut, shut) {
		m.changed(shut, used, limit)
	}
	if used >= most {
		m.turned.Add(1)
		m.sweep()
		return false
	}
	m.held.Add(n)
	return true
}

// Take reserves n bytes for somebody who is in. It reports false, and reserves
// nothing, where 95 % of the limit would be exceeded.
func (m *Memory) Take(n int64) bool {
	if m == nil {
		return true
	}
	m.held.Add(n) // first, so that two do not both have the last of it
	if limit := m.limit.Load(); limit == 0 || m.used() <= limit/100*fullPercent {
		return true
	}
	m.held.Add(-n)
	m.refused.Add(1)
	m.sweep()
	return false
}

// Give gives back what Enter or Take has reserved.
func (m *Memory) Give(n int64) {
	if m != nil {
		m.held.Add(-n)
	}
}

// used is at most this much: all that there is, and at most what was alive. What was
// reserved since either was known counts on top.
func (m *Memory) used() int64 {
	s, held := m.latest(), m.held.Load()
	return min(s.Total+max(0, held-s.held), s.Live+max(0, held-s.marked))
}

// latest returns a sample that is not too old, or one that somebody is about to
// replace.
func (m *Memory) latest() *sample {
	s, now := m.last.Load(), time.Now()
	if now.Sub(s.at) < readEvery || !m.reading.CompareAndSwap(false, true) {
		return s
	}
	defer m.reading.Store(false)
	s = m.last.Load() // somebody else may have been faster
	next := &sample{held: m.held.Load(), at: now, marked: s.marked}
	next.Reading = m.read()
	if next.Cycle != s.Cycle {
		next.marked = s.held
	}
	m.last.Store(next)
	return next
}

// sweep collects the garbage, beside its caller: what was given back is only known to
// be free after that, and nothing else may make the runtime look soon.
func (m *Memory) sweep() {
	before, now := m.swept.Load(), time.Now().UnixNano()
	if now-before >= int64(sweepEvery) && m.swept.CompareAndSwap(before, now) {
		go m.collect()
	}
}

// State is how a budget stands.
type State struct {
	Limit   int64  // bytes; 0 without a limit
	Used    int64  // bytes
	Shut    bool   // nobody new is let in
	Turned  uint64 // times that Enter has said no
	Refused uint64 // times that Take has said no
}

// State returns how it stands now. Shut is as the last Enter has left it. Without a limit
// the first three are zero.
func (m *Memory) State() State {
	if m == nil {
		return State{}
	}
	st := State{Limit: m.limit.Load(), Turned: m.turned.Load(), Refused: m.refused.Load()}
	if st.Limit > 0 {
		st.Used, st.Shut = m.used(), m.shut.Load()
	}
	return st
}
