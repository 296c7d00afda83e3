package policy

import (
	"errors"
	"time"
)

// KV is what a policy remembers across questions, sessions, its own replacement
// and restarts of the server: one namespace of small values under short keys. It
// is safe for concurrent use, each method is atomic, and none waits for a disk.
// What was written in the last second may be lost when the server is killed.
//
// Where a method takes a ttl, the key vanishes that much later; zero or less is
// never.
type KV interface {
	// Get returns a copy of the key's value, false if there is none.
	Get(key string) ([]byte, bool)
	// Set stores a copy of value; nil removes the key. It fails with ErrKVFull or
	// ErrKVSize and then changes nothing.
	Set(key string, value []byte, ttl time.Duration) error
	// Incr adds delta to a counter and returns its new value. A key that is not
	// there counts from zero and gets the ttl; one that is there keeps its own, so
	// that a window does not move with each hit. A counter is eight bytes,
	// little-endian; the sum stays within int64 at either end. It fails with
	// ErrKVFull, ErrKVSize, or ErrKVType if the value is no counter.
	Incr(key string, delta int64, ttl time.Duration) (int64, error)
	// CompareAndSwap stores a copy of value if the key's value is old, and reports
	// whether it was. A nil old stands for a key that is not there, a nil value
	// removes the key. It fails as Set does.
	CompareAndSwap(key string, old, value []byte, ttl time.Duration) (bool, error)
}

// Bounds of a KV, in bytes.
const (
	MaxKVKey   = 256  // of a key, which has one byte at least
	MaxKVValue = 4096 // of a value, which may be empty
)

// Errors of a KV.
var (
	ErrKVFull = errors.New("the key-value space of this policy is full")
	ErrKVSize = errors.New("key or value is too long, or the key is empty")
	ErrKVType = errors.New("the value is not a counter")
)
