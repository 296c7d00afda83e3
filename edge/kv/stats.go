package kv

import (
	"sync"
	"time"
)

// Stats is what a [Store] did since it was opened, and what it holds.
type Stats struct {
	Spaces    []SpaceStats  // by name
	Unwritten int64         // changed keys that are not on the disk yet
	Lag       time.Duration // for how long the oldest of them has been waiting
	Writes    int64         // transactions, also those that failed
	Failures  int64         // transactions that failed
	LastError error         // of the last one that failed, nil if none did
	LastTime  time.Time     // when it failed
	Failing   bool          // the last transaction failed
}

// SpaceStats is about one namespace. Keys and Bytes include what has expired and
// was not removed yet, which takes about a second.
type SpaceStats struct {
	Name     string // as it was given to [Store.Space]
	Keys     int64  // that are there
	Bytes    int64  // as they count, see the package
	MaxBytes int64  // 0 if nobody has asked for it since the store was opened
	Expired  int64  // keys that vanished by their time, since the store was opened
	Refused  int64  // writes that failed with policy.ErrKVFull, since then
}

// Stats returns the present numbers.
func (s *Store) Stats() Stats {
	var st Stats
	for _, sp := range s.all() {
		st.Spaces = append(st.Spaces, SpaceStats{
			Name: sp.name, Keys: sp.keys.Load(), Bytes: sp.used.Load(), MaxBytes: sp.max.Load(),
			Expired: sp.expired.Load(), Refused: sp.refused.Load(),
		})
	}
	if s.queue != nil {
		st.Unwritten, st.Lag = s.queue.unwritten.Load(), s.queue.lag()
	}
	t := &s.trouble
	t.mu.Lock()
	defer t.mu.Unlock()
	st.Writes, st.Failures, st.LastError, st.LastTime, st.Failing = t.writes, t.failures, t.last, t.at, t.failing
	return st
}

// logEvery is how often a failure that lasts is told of.
const logEvery = time.Minute

// trouble is what the writer has to tell.
type trouble struct {
	mu       sync.Mutex
	writes   int64
	failures int64
	last     error
	at       time.Time
	failing  bool

	told   time.Time // used by the writer alone
	untold int64     // failures since
}

// note counts a write and tells of its failure.
func (t *trouble) note(s *Store, err error) {
	now := time.Now()
	t.mu.Lock()
	before := t.failing
	t.writes++
	t.failing = err != nil
	if err != nil {
		t.failures++
		t.last, t.at = err, now
	}
	t.mu.Unlock()
	switch {
	case err != nil:
		if t.untold++; t.told.IsZero() || now.Sub(t.told) >= logEvery {
			s.opt.Log.Error("kv: what policies remember cannot be written; it is kept in memory, is lost if the server ends, and is tried again",
				"path", s.path, "error", err, "unwritten", s.queue.unwritten.Load(), "failures", t.untold)
			t.told, t.untold = now, 0
		}
	case before:
		s.opt.Log.Info("kv: what policies remember is written again", "path", s.path, "unwritten", s.queue.unwritten.Load())
	}
}
