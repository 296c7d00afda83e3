package acme

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// MemoryStorage returns a new storage in memory, for one process: for certificates that
// are of no use to the next one, such as those of the development authority, and for
// tests. Its locks end with the process, or with Unlock, which is an error where nobody
// holds the lock. A key may not be a prefix of others.
func MemoryStorage() Storage {
	return &memory{values: map[string]memoryValue{}, locks: map[string]chan struct{}{}}
}

type memory struct {
	mu     sync.Mutex
	values map[string]memoryValue
	locks  map[string]chan struct{} // closed when released
}

type memoryValue struct {
	data []byte
	at   time.Time
}

// plain is a key as a path relative to nothing; that of everything is empty.
func plain(key string) string { return path.Clean("/" + key)[1:] }

func absent(op, key string) error { return &fs.PathError{Op: op, Path: key, Err: fs.ErrNotExist} }

// Store implements certmagic.Storage.
func (s *memory) Store(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[plain(key)] = memoryValue{bytes.Clone(value), time.Now()}
	return nil
}

// Load implements certmagic.Storage.
func (s *memory) Load(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[plain(key)]
	if !ok {
		return nil, absent("load", key)
	}
	return bytes.Clone(v.data), nil
}

// Delete implements certmagic.Storage.
func (s *memory) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.values, func(k string, _ memoryValue) bool {
		_, below := under(plain(key), k)
		return below || k == plain(key)
	})
	return nil
}

// under returns what of a key comes after a prefix.
func under(prefix, key string) (string, bool) {
	if prefix == "" {
		return key, true
	}
	return strings.CutPrefix(key, prefix+"/")
}

// Exists implements certmagic.Storage.
func (s *memory) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// List implements certmagic.Storage. Without recursive a prefix of further keys is in
// the list as a key is.
func (s *memory) List(_ context.Context, prefix string, recursive bool) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]bool{}
	for k := range s.values {
		rest, below := under(plain(prefix), k)
		if !below {
			continue
		}
		if !recursive {
			rest, _, _ = strings.Cut(rest, "/")
		}
		found[path.Join(prefix, rest)] = true
	}
	if len(found) == 0 {
		return nil, absent("list", prefix)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// Stat implements certmagic.Storage.
func (s *memory) Stat(_ context.Context, key string) (certmagic.KeyInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.values[plain(key)]; ok {
		return certmagic.KeyInfo{Key: key, Modified: v.at, Size: int64(len(v.data)), IsTerminal: true}, nil
	}
	for k := range s.values {
		if _, below := under(plain(key), k); below {
			return certmagic.KeyInfo{Key: key}, nil
		}
	}
	return certmagic.KeyInfo{}, absent("stat", key)
}

// Lock implements certmagic.Locker.
func (s *memory) Lock(ctx context.Context, name string) error {
	for {
		released := s.take(name)
		if released == nil {
			return nil
		}
		select {
		case <-released:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TryLock implements certmagic.TryLocker.
func (s *memory) TryLock(_ context.Context, name string) (bool, error) {
	return s.take(name) == nil, nil
}

// take takes a lock, or returns what is closed when its holder releases it.
func (s *memory) take(name string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if released := s.locks[name]; released != nil {
		return released
	}
	s.locks[name] = make(chan struct{})
	return nil
}

// Unlock implements certmagic.Locker.
func (s *memory) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	released := s.locks[name]
	if released == nil {
		return fmt.Errorf("the lock %s: %w", name, errNotHeld)
	}
	delete(s.locks, name)
	close(released)
	return nil
}

// errNotHeld says that a lock cannot be released by who does not hold it.
var errNotHeld = errors.New("it is not held here")
