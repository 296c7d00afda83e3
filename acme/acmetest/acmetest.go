// Package acmetest holds the conformance functions of acme.Storage: what every store must
// do that several nodes share, whatever it is made of.
package acmetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/acme"
)

// moment is how long a check looks whether a lock is refused.
const moment = 300 * time.Millisecond

// Storage checks a store. Each call of open must return two nodes' views of one store
// that is new and empty, and lasts until the test ends; they may be the same value if
// only one process ever uses the store. Keys are relative paths, of the characters that
// certmagic writes, and no key is a prefix of another. See [Takeover] for what happens
// when a node dies.
func Storage(t *testing.T, open func(t *testing.T) (a, b acme.Storage)) {
	for _, group := range [][]check{valueChecks(), listChecks(), lockChecks()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				a, b := open(t)
				c.run(newBed(t, a, b))
			})
		}
	}
}

// Takeover checks that the lock of a node which died is free again after at most within,
// and not before it died: as long as it lives the lock is refused, for longer than that.
// Each call of open must have another node hold the lock of that name, and return a view
// of its store and what kills that node without a chance to unlock. It returns how long
// the lock took after the death.
func Takeover(t *testing.T, within time.Duration, open func(t *testing.T, name string) (acme.Storage, func())) time.Duration {
	t.Helper()
	const name = "issue_cert_takeover.example.org"
	s, kill := open(t, name)
	return takeover(newBed(t, s, s), within, name, kill)
}

func takeover(b *bed, within time.Duration, name string, kill func()) time.Duration {
	b.Helper()
	b.refused(b.a, name, within+within/4)
	kill()
	died := time.Now()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	if err := b.a.Lock(ctx, name); err != nil {
		b.Fatalf("%s after the death of its holder the lock is not free: %v", within, err)
	}
	took := time.Since(died)
	b.must(b.a.Unlock(b.ctx, name))
	b.free(b.a, name)
	return took
}

// check is one subtest.
type check struct {
	name string
	run  func(*bed)
}

// bed is a test with short words for what checks do.
type bed struct {
	testing.TB
	ctx      context.Context
	a, b     acme.Storage
	patience time.Duration // how long a lock that is free may take
}

func newBed(t testing.TB, a, b acme.Storage) *bed {
	return &bed{t, t.Context(), a, b, 30 * time.Second}
}

// must fails unless err is nil.
func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("error: %v", err)
	}
}

// store stores a value.
func (b *bed) store(s acme.Storage, key, value string) {
	b.Helper()
	if err := s.Store(b.ctx, key, []byte(value)); err != nil {
		b.Fatalf("%s cannot be stored: %v", key, err)
	}
}

// has fails unless both views have that value.
func (b *bed) has(key, want string) {
	b.Helper()
	for i, s := range []acme.Storage{b.a, b.b} {
		got, err := s.Load(b.ctx, key)
		if err != nil || string(got) != want {
			b.Errorf("%s is %s at node %d, %v; want %s", key, short(string(got)), i+1, err, short(want))
		}
		if !s.Exists(b.ctx, key) {
			b.Errorf("%s does not exist at node %d", key, i+1)
		}
		info, err := s.Stat(b.ctx, key)
		if err != nil || info.Key != key || !info.IsTerminal || info.Size != 0 && info.Size != int64(len(want)) {
			b.Errorf("Stat of %s at node %d: %+v, %v; want its key, a terminal one, and %d bytes or 0 for unknown", key, i+1, info, err, len(want))
		}
	}
}

// lacks fails unless neither view has a key, nor one below it.
func (b *bed) lacks(key string) {
	b.Helper()
	for i, s := range []acme.Storage{b.a, b.b} {
		if got, err := s.Load(b.ctx, key); !errors.Is(err, fs.ErrNotExist) {
			b.Errorf("Load of %s, which is missing, at node %d: %s, error %v; want fs.ErrNotExist", key, i+1, short(string(got)), err)
		}
		if info, err := s.Stat(b.ctx, key); !errors.Is(err, fs.ErrNotExist) {
			b.Errorf("Stat of %s, which is missing, at node %d: %+v, error %v; want fs.ErrNotExist", key, i+1, info, err)
		}
		if s.Exists(b.ctx, key) {
			b.Errorf("%s is missing and exists at node %d", key, i+1)
		}
	}
}

// lists fails unless both views list that. What a recursive list says of prefixes is
// left to the store.
func (b *bed) lists(prefix string, recursive bool, want ...string) {
	b.Helper()
	for i, s := range []acme.Storage{b.a, b.b} {
		got, err := s.List(b.ctx, prefix, recursive)
		if err != nil && (len(want) > 0 || !errors.Is(err, fs.ErrNotExist)) {
			b.Errorf("List of %q at node %d: %v", prefix, i+1, err)
			continue
		}
		if recursive {
			got = slices.DeleteFunc(got, func(k string) bool {
				info, err := s.Stat(b.ctx, k)
				return err == nil && !info.IsTerminal
			})
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			b.Errorf("List of %q, recursive %v, at node %d: %q; want %q", prefix, recursive, i+1, got, want)
		}
	}
}

// lock takes a lock that is free.
func (b *bed) lock(s acme.Storage, name string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, b.patience)
	defer cancel()
	if err := s.Lock(ctx, name); err != nil {
		b.Fatalf("the lock %s, which is free, is refused: %v", name, err)
	}
}

// free fails unless a lock can be had; it is released.
func (b *bed) free(s acme.Storage, name string) {
	b.Helper()
	b.lock(s, name)
	b.must(s.Unlock(b.ctx, name))
}

// refused fails unless a lock cannot be had for some time, and the wait ends in time.
func (b *bed) refused(s acme.Storage, name string, long time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, long)
	defer cancel()
	start := time.Now()
	err := s.Lock(ctx, name)
	switch took := time.Since(start); {
	case err == nil:
		b.Fatalf("the lock %s is held, and was given a second time after %s", name, took)
	case ctx.Err() == nil:
		b.Errorf("the lock %s is held; Lock is to wait, and has said after %s: %v", name, took, err)
	case took > long+b.patience/3:
		b.Errorf("Lock has waited for %s longer than its context", took-long)
	}
}

// short is a value for a message.
func short(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q... (%d bytes)", s[:60], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// uniform is a value of which every part tells whether it belongs to the whole.
func uniform(i, size int) []byte { return bytes.Repeat([]byte{'a' + byte(i)}, size) }
