package kv_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/kv/kvtest"
	"github.com/edgeftp/edgeftp/edge/policy"
)

func open(t testing.TB, path string, opt kv.Options) *kv.Store {
	t.Helper()
	s, err := kv.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func space(t testing.TB, s *kv.Store, name string, maxBytes int64) policy.KV {
	t.Helper()
	sp, err := s.Space(name, maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func TestConformance(t *testing.T) {
	inMemory := func(t *testing.T) policy.KV { return space(t, open(t, "", kv.Options{}), "p", 256<<10) }
	inFile := func(t *testing.T) policy.KV {
		return space(t, open(t, filepath.Join(t.TempDir(), "kv"), kv.Options{FlushEvery: 5 * time.Millisecond, FlushAt: 10}), "p", 256<<10)
	}
	for name, make := range map[string]func(t *testing.T) policy.KV{
		"memory":          inMemory,
		"file":            inFile,
		"overlay":         func(t *testing.T) policy.KV { return kv.Overlay(inMemory(t)) },
		"overlay of file": func(t *testing.T) policy.KV { return kv.Overlay(inFile(t)) },
		"overlay twice":   func(t *testing.T) policy.KV { return kv.Overlay(kv.Overlay(inMemory(t))) },
		"overlay of another": func(*testing.T) policy.KV {
			return kv.Overlay(&model{now: time.Now, max: 256 << 10, m: map[string]modelValue{}})
		},
		"policy.MemKV": func(*testing.T) policy.KV { return &policy.MemKV{MaxBytes: 256 << 10} },
		"model": func(*testing.T) policy.KV {
			return &model{now: time.Now, max: 256 << 10, m: map[string]modelValue{}}
		},
	} {
		t.Run(name, func(t *testing.T) { kvtest.Test(t, make) })
	}
}

// model is a KV as simple as can be.
type model struct {
	mu  sync.Mutex
	now func() time.Time
	max int
	m   map[string]modelValue
}

type modelValue struct {
	value   []byte
	expires time.Time // zero is never
}

func (m *model) clean() {
	for k, v := range m.m {
		if !v.expires.IsZero() && !m.now().Before(v.expires) {
			delete(m.m, k)
		}
	}
}

func (m *model) bytes() (n int) {
	for k, v := range m.m {
		n += len(k) + len(v.value) + kv.Overhead
	}
	return n
}

func (m *model) copy() *model {
	m.clean()
	c := &model{now: m.now, max: m.max, m: map[string]modelValue{}}
	for k, v := range m.m {
		c.m[k] = v
	}
	return c
}

func (m *model) Get(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clean()
	v, ok := m.m[key]
	if !ok {
		return nil, false
	}
	return append([]byte{}, v.value...), true
}

func (m *model) Set(key string, value []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set(key, value, ttl)
}

func (m *model) set(key string, value []byte, ttl time.Duration) error {
	if len(key) == 0 || len(key) > policy.MaxKVKey || len(value) > policy.MaxKVValue {
		return policy.ErrKVSize
	}
	m.clean()
	before, had := m.m[key]
	delete(m.m, key)
	if value == nil {
		return nil
	}
	v := modelValue{value: append([]byte{}, value...)}
	if ttl > 0 {
		v.expires = m.now().Add(ttl)
	}
	m.m[key] = v
	if (!had || len(value) > len(before.value)) && m.bytes() > m.max {
		delete(m.m, key)
		if had {
			m.m[key] = before
		}
		return policy.ErrKVFull
	}
	return nil
}

func (m *model) Incr(key string, delta int64, ttl time.Duration) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clean()
	v, ok := m.m[key]
	if !ok {
		if err := m.set(key, binary.LittleEndian.AppendUint64(nil, uint64(delta)), ttl); err != nil {
			return 0, err
		}
		return delta, nil
	}
	if len(v.value) != 8 {
		return 0, policy.ErrKVType
	}
	n := int64(binary.LittleEndian.Uint64(v.value))
	switch {
	case delta > 0 && n > math.MaxInt64-delta:
		n = math.MaxInt64
	case delta < 0 && n < math.MinInt64-delta:
		n = math.MinInt64
	default:
		n += delta
	}
	v.value = binary.LittleEndian.AppendUint64(nil, uint64(n))
	m.m[key] = v
	return n, nil
}

func (m *model) CompareAndSwap(key string, old, value []byte, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(key) == 0 || len(key) > policy.MaxKVKey || len(value) > policy.MaxKVValue {
		return false, policy.ErrKVSize
	}
	m.clean()
	v, ok := m.m[key]
	if ok != (old != nil) || !bytes.Equal(v.value, old) {
		return false, nil
	}
	if err := m.set(key, value, ttl); err != nil {
		return false, err
	}
	return true, nil
}
