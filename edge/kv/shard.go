package kv

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// shard holds some of the keys of a space. The lock is held for one operation in
// memory, or for few of them.
type shard struct {
	mu      sync.Mutex
	entries map[string]*entry
	due     expiries
	dirty   fifo
	next    atomic.Int64     // when the first of due vanishes, 0 if none does; written under mu
	deltas  map[string]int64 // what counters have grown by; see handover.go
	_       [32]byte         // keeps the locks of two shards on different cache lines
}

// entry is a key that is there, or one that was removed and may still be in the
// file: there is one entry for a key, so what is written last is what holds.
type entry struct {
	key     string
	value   []byte
	expires int64 // nanoseconds since 1970, 0 is never
	at      int32 // place in the shard's expiries, -1 if it is not there
	queued  int32 // place in the shard's dirty entries, -1 if it is not there
	live    bool
	stored  bool // in the file; in an overlay, in the base
	flying  bool // being written
	whole   bool // an heir is to be told the value, not what it has grown by

	hides int64 // what the base has of it, in an overlay
}

// over reports whether the entry's time is over.
func (e *entry) over(now func() time.Time) bool {
	return e.expires != 0 && e.expires <= now().UnixNano()
}

// find returns the entry of a key that is there, nil if it is not. An overlay
// copies it from its base first, and reports so.
func (s *space) find(sh *shard, key string) (e *entry, copied bool) {
	e = sh.entries[key]
	switch {
	case e == nil && s.base != nil:
		e = s.copyUp(sh, key)
		return e, e != nil
	case e == nil || !e.live:
		return nil, false
	case e.over(s.now):
		s.expire(sh, e)
		return nil, false
	}
	return e, false
}

// assign gives a key a value and a time; e is what find returned. It reports false,
// and has changed nothing, if there is no room.
func (s *space) assign(sh *shard, e *entry, key string, value []byte, expires int64) bool {
	delta := size(key, value)
	if e != nil {
		delta -= size(key, e.value)
	}
	if !s.reserve(delta) {
		return false
	}
	if e == nil {
		e = s.insert(sh, key)
	}
	e.setValue(value)
	sh.schedule(e, expires)
	s.replaced(sh, e)
	s.mark(sh, e)
	return true
}

// insert makes the entry of a key that is not there.
func (s *space) insert(sh *shard, key string) *entry {
	e := sh.entries[key]
	if e == nil {
		// A short key may be a part of something large that would live with it.
		e = &entry{key: strings.Clone(key), at: -1, queued: -1}
		if sh.entries == nil {
			sh.entries = map[string]*entry{}
		}
		sh.entries[e.key] = e
	} else if s.base != nil {
		s.graves.Add(-size(key, nil))
	}
	e.live = true
	s.keys.Add(1)
	return e
}

// setValue copies value, into the same place if that is not far too large.
func (e *entry) setValue(value []byte) {
	if c := cap(e.value); c < len(value) || c > 2*len(value)+64 {
		e.value = make([]byte, 0, len(value))
	}
	e.value = append(e.value[:0], value...)
}

// remove takes a key away that is there.
func (s *space) remove(sh *shard, e *entry) {
	s.reserve(-size(e.key, e.value))
	s.keys.Add(-1)
	sh.schedule(e, 0)
	e.live, e.value = false, nil
	s.replaced(sh, e)
	if e.stored || e.flying {
		if s.base != nil {
			s.graves.Add(size(e.key, nil))
		}
		s.mark(sh, e)
		return
	}
	s.forget(sh, e)
}

// expire takes a key away whose time is over. An heir sees that by itself.
func (s *space) expire(sh *shard, e *entry) {
	if s.bequeathed() {
		e.stored = false
	}
	s.remove(sh, e)
	s.expired.Add(1)
}

// forget drops an entry that is not there, neither in the file.
func (s *space) forget(sh *shard, e *entry) {
	if e.queued >= 0 {
		sh.dirty.remove(e)
		s.queue.unwritten.Add(-1)
	}
	delete(sh.entries, e.key)
	delete(sh.deltas, e.key)
}

// reclaim frees what keys hold whose time is over, and returns how many there were.
func (s *space) reclaim() (n int) {
	for i := range s.shards {
		for {
			some := s.sweep(&s.shards[i])
			n += some
			if some < sweepHold {
				break
			}
		}
	}
	if b, ok := s.base.(*space); ok {
		n += b.reclaim()
	}
	if s.base != nil {
		n += s.purge()
	}
	return n
}

// sweepHold is how many keys are removed while a shard is locked.
const sweepHold = 64

// sweep removes keys of a shard whose time is over, at most sweepHold.
func (s *space) sweep(sh *shard) (n int) {
	next := sh.next.Load()
	if next == 0 {
		return 0
	}
	now := s.now().UnixNano()
	if next > now {
		return 0
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for ; n < sweepHold && len(sh.due) > 0 && sh.due[0].expires <= now; n++ {
		s.expire(sh, sh.due[0])
	}
	return n
}
