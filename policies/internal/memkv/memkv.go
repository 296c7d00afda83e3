// Package memkv is a [policy.KV] for tests: a map with a clock that the test moves
// and a bound on its keys.
package memkv

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// KV is a map. The zero value is empty, has no bound and stands at the zero time.
type KV struct {
	// Max is the number of keys beyond which writing fails; zero is no bound.
	Max int

	mu   sync.Mutex
	now  time.Time
	keys map[string]entry
}

type entry struct {
	value   []byte
	expires time.Time // zero never
}

var _ policy.KV = (*KV)(nil)

// Advance moves the clock.
func (kv *KV) Advance(d time.Duration) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	kv.now = kv.now.Add(d)
}

// Keys returns the number of keys that are there.
func (kv *KV) Keys() int {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	n := 0
	for key := range kv.keys {
		if _, ok := kv.get(key); ok {
			n++
		}
	}
	return n
}

// Get implements [policy.KV].
func (kv *KV) Get(key string) ([]byte, bool) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	v, ok := kv.get(key)
	return bytes.Clone(v), ok
}

// Set implements [policy.KV].
func (kv *KV) Set(key string, value []byte, ttl time.Duration) error {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	return kv.set(key, value, ttl)
}

// Incr implements [policy.KV].
func (kv *KV) Incr(key string, delta int64, ttl time.Duration) (int64, error) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	v, ok := kv.get(key)
	if !ok {
		return delta, kv.set(key, binary.LittleEndian.AppendUint64(nil, uint64(delta)), ttl)
	}
	if len(v) != 8 {
		return 0, policy.ErrKVType
	}
	n := int64(binary.LittleEndian.Uint64(v))
	switch sum := n + delta; {
	case delta > 0 && sum < n:
		n = math.MaxInt64
	case delta < 0 && sum > n:
		n = math.MinInt64
	default:
		n = sum
	}
	kv.keys[key] = entry{binary.LittleEndian.AppendUint64(nil, uint64(n)), kv.keys[key].expires}
	return n, nil
}

// CompareAndSwap implements [policy.KV].
func (kv *KV) CompareAndSwap(key string, old, value []byte, ttl time.Duration) (bool, error) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	v, ok := kv.get(key)
	if ok != (old != nil) || !bytes.Equal(v, old) {
		return false, nil
	}
	err := kv.set(key, value, ttl)
	return err == nil, err
}

func (kv *KV) get(key string) ([]byte, bool) {
	e, ok := kv.keys[key]
	if ok && !e.expires.IsZero() && !kv.now.Before(e.expires) {
		delete(kv.keys, key)
		return nil, false
	}
	return e.value, ok
}

func (kv *KV) set(key string, value []byte, ttl time.Duration) error {
	if key == "" || len(key) > policy.MaxKVKey || len(value) > policy.MaxKVValue {
		return policy.ErrKVSize
	}
	if value == nil {
		delete(kv.keys, key)
		return nil
	}
	if _, ok := kv.get(key); !ok && kv.Max > 0 && len(kv.keys) >= kv.Max {
		return policy.ErrKVFull
	}
	if kv.keys == nil {
		kv.keys = map[string]entry{}
	}
	e := entry{value: bytes.Clone(value)}
	if ttl > 0 {
		e.expires = kv.now.Add(ttl)
	}
	kv.keys[key] = e
	return nil
}
