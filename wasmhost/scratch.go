package wasmhost

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// maxScratch is how many keys a trial may have.
const maxScratch = 10_000

// scratch is the policy.KV of a trial. It lasts for seconds, so nothing expires.
type scratch struct {
	mu     sync.Mutex
	values map[string][]byte
}

func newScratch() *scratch { return &scratch{values: map[string][]byte{}} }

// Get implements policy.KV.
func (s *scratch) Get(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	return bytes.Clone(v), ok
}

// Set implements policy.KV.
func (s *scratch) Set(key string, value []byte, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(key, value)
}

// put stores or removes. The caller holds mu.
func (s *scratch) put(key string, value []byte) error {
	switch {
	case key == "" || len(key) > policy.MaxKVKey || len(value) > policy.MaxKVValue:
		return policy.ErrKVSize
	case value == nil:
		delete(s.values, key)
		return nil
	case s.values[key] == nil && len(s.values) >= maxScratch:
		return policy.ErrKVFull
	}
	s.values[key] = append([]byte{}, value...)
	return nil
}

// Incr implements policy.KV.
func (s *scratch) Incr(key string, delta int64, _ time.Duration) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.values[key]
	if ok && len(old) != 8 {
		return 0, policy.ErrKVType
	}
	var sum int64
	if ok {
		sum = int64(binary.LittleEndian.Uint64(old))
	}
	switch next := sum + delta; {
	case delta > 0 && next < sum:
		sum = math.MaxInt64
	case delta < 0 && next > sum:
		sum = math.MinInt64
	default:
		sum = next
	}
	return sum, s.put(key, binary.LittleEndian.AppendUint64(nil, uint64(sum)))
}

// CompareAndSwap implements policy.KV.
func (s *scratch) CompareAndSwap(key string, old, value []byte, _ time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, ok := s.values[key]
	if ok != (old != nil) || !bytes.Equal(now, old) {
		return false, nil
	}
	return true, s.put(key, value)
}
