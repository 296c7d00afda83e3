package kv

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Overhead is what a key counts beside its own length and that of its value, in
// bytes: about what it costs in memory.
const Overhead = 128

const shardCount = 16

// space is one namespace: a policy.KV.
type space struct {
	name   string
	now    func() time.Time
	queue  *queue // what is to be written, nil if nothing is
	closed *atomic.Bool
	seed   maphash.Seed
	shards [shardCount]shard

	max, used, keys  atomic.Int64
	expired, refused atomic.Int64

	base   policy.KV    // what an overlay lies over, else nil
	hidden atomic.Int64 // bytes of the base that an overlay has its own copy of, or removed
	graves atomic.Int64 // bytes of what keeps removed keys of the base from being seen
}

var _ policy.KV = (*space)(nil)

func newSpace(name string, now func() time.Time, q *queue, closed *atomic.Bool) *space {
	return &space{name: name, now: now, queue: q, closed: closed, seed: maphash.MakeSeed()}
}

func (s *space) shard(key string) *shard {
	return &s.shards[maphash.String(s.seed, key)%shardCount]
}

func badKey(key string) bool { return len(key) == 0 || len(key) > policy.MaxKVKey }

func size(key string, value []byte) int64 { return int64(len(key) + len(value) + Overhead) }

// deadline is the time at which a key vanishes that is written now; 0 is never.
func (s *space) deadline(ttl time.Duration) int64 {
	if ttl <= 0 {
		return 0
	}
	return sum(s.now().UnixNano(), int64(ttl))
}

// sum is a+b, within int64.
func sum(a, b int64) int64 {
	switch c := a + b; {
	case a > 0 && b > 0 && c < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && c >= 0:
		return math.MinInt64
	default:
		return c
	}
}

func (s *space) Get(key string) ([]byte, bool) {
	value, _, ok := s.peek(key)
	return value, ok
}

// peek is Get, with the time at which the key vanishes.
func (s *space) peek(key string) (value []byte, expires int64, ok bool) {
	sh := s.shard(key)
	sh.mu.Lock()
	e := sh.entries[key]
	if e != nil && e.live && !e.over(s.now) {
		value, expires, ok = make([]byte, len(e.value)), e.expires, true
		copy(value, e.value)
	}
	sh.mu.Unlock()
	if e == nil && s.base != nil {
		return peek(s.base, key)
	}
	return value, expires, ok
}

func (s *space) Set(key string, value []byte, ttl time.Duration) error {
	_, err := s.change(change{key: key, value: value, ttl: ttl})
	return err
}

func (s *space) CompareAndSwap(key string, old, value []byte, ttl time.Duration) (bool, error) {
	return s.change(change{key: key, value: value, ttl: ttl, compare: true, old: old})
}

// change is one Set, or one CompareAndSwap.
type change struct {
	key        string
	value, old []byte
	ttl        time.Duration
	expires    int64
	compare    bool
}

func (s *space) change(c change) (bool, error) {
	if badKey(c.key) || len(c.value) > policy.MaxKVValue {
		return false, policy.ErrKVSize
	}
	sh := s.shard(c.key)
	c.expires = s.deadline(c.ttl)
	for tried := false; ; tried = true { // twice at least: the sweeper may have made the room meanwhile
		sh.mu.Lock()
		done, err := s.apply(sh, &c)
		sh.mu.Unlock()
		if s.graves.Load() > 2*s.bound() {
			s.purge()
		}
		if err != policy.ErrKVFull || s.reclaim() == 0 && tried {
			return done, s.judged(err)
		}
	}
}

// judged counts what was refused.
func (s *space) judged(err error) error {
	if err == policy.ErrKVFull {
		s.refused.Add(1)
	}
	return err
}

func (s *space) apply(sh *shard, c *change) (bool, error) {
	if s.closed.Load() {
		return false, ErrClosed
	}
	e, copied := s.find(sh, c.key)
	if c.compare && ((e == nil) != (c.old == nil) || e != nil && !bytes.Equal(e.value, c.old)) {
		s.undo(sh, e, copied)
		return false, nil
	}
	if c.value == nil {
		if e != nil {
			s.remove(sh, e)
		}
		return true, nil
	}
	if !s.assign(sh, e, c.key, c.value, c.expires) {
		s.undo(sh, e, copied)
		return false, policy.ErrKVFull
	}
	return true, nil
}

func (s *space) Incr(key string, delta int64, ttl time.Duration) (int64, error) {
	if badKey(key) {
		return 0, policy.ErrKVSize
	}
	sh := s.shard(key)
	for tried := false; ; tried = true { // see change
		sh.mu.Lock()
		n, err := s.add(sh, key, delta, s.deadline(ttl))
		sh.mu.Unlock()
		if err != policy.ErrKVFull || s.reclaim() == 0 && tried {
			return n, s.judged(err)
		}
	}
}

func (s *space) add(sh *shard, key string, delta, expires int64) (int64, error) {
	if s.closed.Load() {
		return 0, ErrClosed
	}
	e, copied := s.find(sh, key)
	switch {
	case e == nil:
		old := sh.entries[key]
		whole := old != nil && old.whole
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(delta))
		if !s.assign(sh, nil, key, b[:], expires) {
			return 0, policy.ErrKVFull
		}
		if e = sh.entries[key]; !whole {
			e.whole = false
			s.grown(sh, e, delta)
		}
		return delta, nil
	case len(e.value) != 8:
		s.undo(sh, e, copied)
		return 0, policy.ErrKVType
	}
	n := sum(int64(binary.LittleEndian.Uint64(e.value)), delta)
	binary.LittleEndian.PutUint64(e.value, uint64(n))
	s.grown(sh, e, delta)
	s.mark(sh, e)
	return n, nil
}

// reserve takes delta bytes, if there is room for them.
func (s *space) reserve(delta int64) bool {
	if delta == 0 {
		return true
	}
	if delta < 0 {
		s.used.Add(delta)
		return true
	}
	for {
		used := s.used.Load()
		if delta > s.room() {
			return false
		}
		if s.used.CompareAndSwap(used, used+delta) {
			return true
		}
	}
}

// mark notes that an entry has to be written.
func (s *space) mark(sh *shard, e *entry) {
	if s.queue != nil && e.queued < 0 {
		sh.dirty.push(e)
		s.queue.grown()
	}
}
