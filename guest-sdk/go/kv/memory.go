//go:build !wasip1

package kv

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func open() policy.KV { return &memory{values: map[string]value{}} }

// memory is a space for tests: it has no bound but those of single values.
type memory struct {
	mu     sync.Mutex
	values map[string]value
}

type value struct {
	bytes []byte
	until time.Time // zero: for ever
}

// Get implements policy.KV.
func (m *memory) Get(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.get(key)
	return bytes.Clone(v.bytes), ok
}

// Set implements policy.KV.
func (m *memory) Set(key string, b []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set(key, b, deadline(ttl))
}

// Incr implements policy.KV.
func (m *memory) Incr(key string, delta int64, ttl time.Duration) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.get(key)
	switch {
	case !ok:
		v = value{make([]byte, 8), deadline(ttl)}
	case len(v.bytes) != 8:
		return 0, policy.ErrKVType
	}
	old := int64(binary.LittleEndian.Uint64(v.bytes))
	sum := old + delta
	if delta > 0 && sum < old {
		sum = math.MaxInt64
	} else if delta < 0 && sum > old {
		sum = math.MinInt64
	}
	if err := m.set(key, binary.LittleEndian.AppendUint64(nil, uint64(sum)), v.until); err != nil {
		return 0, err
	}
	return sum, nil
}

// CompareAndSwap implements policy.KV.
func (m *memory) CompareAndSwap(key string, old, b []byte, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.get(key)
	if ok != (old != nil) || !bytes.Equal(v.bytes, old) {
		return false, nil
	}
	err := m.set(key, b, deadline(ttl))
	return err == nil, err
}

// get returns a value that is still there.
func (m *memory) get(key string) (value, bool) {
	v, ok := m.values[key]
	if ok && !v.until.IsZero() && !time.Now().Before(v.until) {
		delete(m.values, key)
		return value{}, false
	}
	return v, ok
}

func (m *memory) set(key string, b []byte, until time.Time) error {
	if key == "" || len(key) > policy.MaxKVKey || len(b) > policy.MaxKVValue {
		return policy.ErrKVSize
	}
	if b == nil {
		delete(m.values, key)
		return nil
	}
	m.values[key] = value{append([]byte{}, b...), until}
	return nil
}

func deadline(ttl time.Duration) time.Time {
	if ttl <= 0 {
		return time.Time{}
	}
	return time.Now().Add(ttl)
}
