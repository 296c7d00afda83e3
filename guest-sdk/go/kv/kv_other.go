//go:build !wasip1

package kv

import (
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
)

func open() policy.KV { return new(space) }

// space looks for the world at each call: a policy that was made in init has its
// space before any test has begun.
type space struct{ own policy.MemKV }

func (s *space) kv() policy.KV {
	if w := guest.Found(); w != nil {
		return w.KV
	}
	return &s.own
}

// Get implements policy.KV.
func (s *space) Get(key string) ([]byte, bool) { return s.kv().Get(key) }

// Set implements policy.KV.
func (s *space) Set(key string, value []byte, ttl time.Duration) error {
	return s.kv().Set(key, value, ttl)
}

// Incr implements policy.KV.
func (s *space) Incr(key string, delta int64, ttl time.Duration) (int64, error) {
	return s.kv().Incr(key, delta, ttl)
}

// CompareAndSwap implements policy.KV.
func (s *space) CompareAndSwap(key string, old, value []byte, ttl time.Duration) (bool, error) {
	return s.kv().CompareAndSwap(key, old, value, ttl)
}
