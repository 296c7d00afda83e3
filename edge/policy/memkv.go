package policy

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"
	"time"
)

// MemKV is a [KV] in memory, for tests and for trials of policies: nothing of it
// outlives the process. The zero value is empty and ready for use. Package kv has
// the server's own.
type MemKV struct {
	// MaxBytes is how many bytes keys and values may have together; what would be more
	// fails with ErrKVFull. Zero is no bound.
	MaxBytes int
	// Now tells the time by which keys vanish; nil stands for time.Now.
	Now func() time.Time

	mu   sync.Mutex
	keys map[string]memValue
	used int // bytes of keys and values
}

type memValue struct {
	bytes []byte
	until time.Time // zero never
}

var _ KV = (*MemKV)(nil)

// Keys returns the number of keys that are there.
func (kv *MemKV) Keys() int {
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

// Get implements [KV].
func (kv *MemKV) Get(key string) ([]byte, bool) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	v, ok := kv.get(key)
	return bytes.Clone(v), ok
}

// Set implements [KV].
func (kv *MemKV) Set(key string, value []byte, ttl time.Duration) error {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	return kv.set(key, value, ttl)
}

// Incr implements [KV].
func (kv *MemKV) Incr(key string, delta int64, ttl time.Duration) (int64, error) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	v, ok := kv.get(key)
	if !ok {
		return delta, kv.set(key, binary.LittleEndian.AppendUint64(nil, uint64(delta)), ttl)
	}
	if len(v) != 8 {
		return 0, ErrKVType
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
	kv.keys[key] = memValue{binary.LittleEndian.AppendUint64(nil, uint64(n)), kv.keys[key].until}
	return n, nil
}

// CompareAndSwap implements [KV].
func (kv *MemKV) CompareAndSwap(key string, old, value []byte, ttl time.Duration) (bool, error) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	if !fits(key, value) {
		return false, ErrKVSize
	}
	v, ok := kv.get(key)
	if ok != (old != nil) || !bytes.Equal(v, old) {
		return false, nil
	}
	err := kv.set(key, value, ttl)
	return err == nil, err
}

func (kv *MemKV) get(key string) ([]byte, bool) {
	v, ok := kv.keys[key]
	if ok && kv.vanished(v) {
		kv.remove(key)
		return nil, false
	}
	return v.bytes, ok
}

func (kv *MemKV) set(key string, value []byte, ttl time.Duration) error {
	if !fits(key, value) {
		return ErrKVSize
	}
	if value == nil {
		kv.remove(key)
		return nil
	}
	if !kv.room(key, value) {
		return ErrKVFull
	}
	kv.remove(key)
	if kv.keys == nil {
		kv.keys = map[string]memValue{}
	}
	v := memValue{bytes: append([]byte{}, value...)}
	if ttl > 0 {
		v.until = kv.clock().Add(ttl)
	}
	kv.keys[key] = v
	kv.used += len(key) + len(value)
	return nil
}

func (kv *MemKV) remove(key string) {
	if v, ok := kv.keys[key]; ok {
		kv.used -= len(key) + len(v.bytes)
		delete(kv.keys, key)
	}
}

// room reports whether the value may take the place of the key's own. What has
// vanished is looked for only when it would not.
func (kv *MemKV) room(key string, value []byte) bool {
	fits := func() bool {
		v, ok := kv.keys[key]
		more := len(value) - len(v.bytes)
		if !ok {
			more += len(key)
		}
		return kv.MaxBytes <= 0 || kv.used+more <= kv.MaxBytes
	}
	if fits() {
		return true
	}
	for other, v := range kv.keys {
		if kv.vanished(v) {
			kv.remove(other)
		}
	}
	return fits()
}

// fits reports whether key and value have lengths that a KV takes.
func fits(key string, value []byte) bool {
	return key != "" && len(key) <= MaxKVKey && len(value) <= MaxKVValue
}

func (kv *MemKV) vanished(v memValue) bool {
	return !v.until.IsZero() && !kv.clock().Before(v.until)
}

func (kv *MemKV) clock() time.Time {
	if kv.Now == nil {
		return time.Now()
	}
	return kv.Now()
}
