package kv

import (
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// DefaultMaxBytes bounds a namespace for which nothing else was said, and an
// overlay of a KV that is not of this package: 1 MiB.
const DefaultMaxBytes = 1 << 20

// Overlay returns a view of base for a policy that is only tried: it reads what is
// in base, and what it writes stays with it. It needs no end; it is gone when
// nobody holds it. Over a namespace of a [Store] it has the same clock and is full
// when the namespace would be, had it been written to; keys keep the time that they
// have left there. Over another KV the times are unknown: a key that it copies does
// not vanish.
//
// It is no snapshot: a key is seen as it is in base until it is first written, or
// removed, here.
func Overlay(base policy.KV) policy.KV {
	s := newSpace("", time.Now, nil, new(atomic.Bool))
	s.base = base
	s.max.Store(DefaultMaxBytes)
	if b, ok := base.(*space); ok {
		s.now = b.now
	}
	return s
}

// peek reads a key of a KV, with the time at which it vanishes if that is known.
func peek(kv policy.KV, key string) ([]byte, int64, bool) {
	if s, ok := kv.(*space); ok {
		return s.peek(key)
	}
	value, ok := kv.Get(key)
	return value, 0, ok
}

// total is what a namespace takes; of an overlay, with what it shows of its base.
func (s *space) total() int64 {
	used := s.used.Load()
	if b, ok := s.base.(*space); ok {
		used += max(0, b.total()-s.hidden.Load())
	}
	return used
}

// bound is what may be written in all; that of an overlay is its base's, which may
// change.
func (s *space) bound() int64 {
	if b, ok := s.base.(*space); ok {
		return b.bound()
	}
	return s.max.Load()
}

// room is what may yet be written. What an overlay removed takes memory, too, but
// not more than the base had.
func (s *space) room() int64 {
	most := s.bound()
	if s.base == nil {
		return most - s.used.Load()
	}
	return min(most-s.total(), 2*most-s.used.Load()-s.graves.Load())
}

// copyUp makes the entry of a key of the base. It counts here what it counted there.
func (s *space) copyUp(sh *shard, key string) *entry {
	value, expires, ok := peek(s.base, key)
	if !ok {
		return nil
	}
	e := s.insert(sh, key)
	e.value, e.stored, e.hides = value, true, size(key, value)
	sh.schedule(e, expires)
	s.used.Add(e.hides)
	s.hidden.Add(e.hides)
	return e
}

// undo makes a copy unmade that turned out not to be needed, so that the key is
// still seen as it is in the base.
func (s *space) undo(sh *shard, e *entry, copied bool) {
	if copied {
		s.reveal(e)
		s.remove(sh, e)
	}
}

// reveal notes that an entry hides nothing of the base.
func (s *space) reveal(e *entry) {
	s.hidden.Add(-e.hides)
	e.stored, e.hides = false, 0
}

// purge forgets what an overlay keeps because of keys that are in the base no
// longer, and returns how many there were.
func (s *space) purge() (n int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for key, e := range sh.entries {
			if !e.stored {
				continue
			}
			if _, _, ok := peek(s.base, key); ok {
				continue
			}
			n++
			s.reveal(e)
			if !e.live {
				s.graves.Add(-size(key, nil))
				s.forget(sh, e)
			}
		}
		sh.mu.Unlock()
	}
	return n
}
