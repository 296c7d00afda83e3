package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
	"time"
)

// mostRemembered bounds what is remembered: a mark and a time each, some 100 bytes.
const mostRemembered = 10_000

// memory remembers which passwords were found to match which stored hashes, for a
// short while: many clients log in again and again, or several times at once, and
// each time would cost what it shall cost somebody who guesses. What did not match is
// not remembered, so guessing is no cheaper.
//
// It holds neither passwords nor hashes but marks of both under a key that is made
// anew with the process and never leaves it. A changed hash has another mark. How long
// a mark stays counts from the verification and not from its last use.
type memory struct {
	within time.Duration

	mu    sync.Mutex
	mac   hash.Hash
	until map[mark]time.Time
}

// mark stands for a hash and a password that match.
type mark [sha256.Size]byte

func remembering(within time.Duration) *memory {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program first
	return &memory{within: within, mac: hmac.New(sha256.New, key), until: map[mark]time.Time{}}
}

// mark makes the mark of a hash and a password. The caller holds the lock.
func (m *memory) mark(hash, password string) (out mark) {
	var size [8]byte // of the hash, so that nothing of it can be taken for the password
	binary.BigEndian.PutUint64(size[:], uint64(len(hash)))
	m.mac.Reset()
	m.mac.Write(size[:])
	m.mac.Write([]byte(hash))
	input := []byte(password)
	m.mac.Write(input)
	clear(input)
	m.mac.Sum(out[:0])
	m.mac.Reset()
	return out
}

// knows reports whether the password was found to match not long ago. On nil nothing
// is known.
func (m *memory) knows(hash, password string) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.until) == 0 {
		return false
	}
	mark := m.mark(hash, password)
	until, ok := m.until[mark]
	if !ok {
		return false
	}
	if !time.Now().Before(until) {
		delete(m.until, mark)
		return false
	}
	return true
}

// keep remembers that the password matches.
func (m *memory) keep(hash, password string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if len(m.until) >= mostRemembered {
		m.sweep(now)
	}
	m.until[m.mark(hash, password)] = now.Add(m.within)
}

// sweep makes room: what is over goes, or else any one. The caller holds the lock.
func (m *memory) sweep(now time.Time) {
	for mark, until := range m.until {
		if !now.Before(until) {
			delete(m.until, mark)
		}
	}
	for mark := range m.until {
		if len(m.until) < mostRemembered {
			return
		}
		delete(m.until, mark)
	}
}
