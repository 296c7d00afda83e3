package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// saves is a storage that changes a certificate as a whole. certmagic stores the key,
// the certificate and the facts one after the other, and when one of them fails deletes
// what it has overwritten: a full disk or a crash would cost the old certificate, which
// is still valid. Here all three wait in memory, are written as one value, the journal,
// and only then each in its place. Until the journal is there the old certificate is
// whole; from then on the new one can be had from it, see finish.
type saves struct {
	Storage
	failed func(name string, err error) // told of what keeps an order from being made or kept

	seats chan struct{} // of locks for orders

	mu    sync.Mutex
	begun map[string]*saved // by prefix; one without a key was given up
}

// mostLocked is how many locks for orders are held at once, those that wait for an
// authority among them. A lock may be an open file with signs of life; a thousand names
// may be due at the same moment.
const mostLocked = 2 * mostOrders

func newSaves(s Storage, failed func(string, error)) *saves {
	return &saves{Storage: s, failed: failed, seats: make(chan struct{}, mostLocked), begun: map[string]*saved{}}
}

// part divides a key of a certificate, certificates/ISSUER/NAME/NAME.EXTENSION. The
// extension of all other keys is empty.
func part(key string) (prefix, ext string) {
	dir, file := path.Split(key)
	ext = path.Ext(file)
	if dir = path.Clean(dir); !strings.HasPrefix(dir, "certificates/") || strings.Count(dir, "/") != 2 || file != path.Base(dir)+ext {
		return "", ""
	}
	return dir, ext
}

func (s site) journal() string { return strings.TrimSuffix(s.keys()[0], ".key") + ".journal" }

// Load implements certmagic.Storage. It does not wait for long: certmagic loads without
// an end, while clients' handshakes and Close wait for it.
func (s *saves) Load(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	return s.Storage.Load(ctx, key)
}

const loadTime = 20 * time.Second

// Store implements certmagic.Storage.
func (s *saves) Store(ctx context.Context, key string, value []byte) error {
	prefix, ext := part(key)
	s.mu.Lock()
	b := s.begun[prefix]
	switch {
	case ext == ".key":
		s.begun[prefix] = &saved{Key: bytes.Clone(value)}
		s.mu.Unlock()
		return nil
	case ext == ".crt" && b != nil && b.Key != nil:
		b.Certificate = bytes.Clone(value)
		s.mu.Unlock()
		return nil
	case ext == ".json" && b != nil && b.Certificate != nil:
		delete(s.begun, prefix)
		s.mu.Unlock()
		b.Facts = value
		return s.commit(ctx, prefix, b)
	}
	s.mu.Unlock()
	return s.Storage.Store(ctx, key, value)
}

// commit writes a certificate, and tells of a failure: certmagic does not.
func (s *saves) commit(ctx context.Context, prefix string, b *saved) error {
	err := s.journaled(ctx, path.Join(prefix, path.Base(prefix)), b)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	s.begun[prefix] = &saved{}
	s.mu.Unlock()
	err = &storageError{"the new certificate cannot be stored", err}
	var known facts
	if json.Unmarshal(b.Facts, &known) == nil && len(known.Names) > 0 {
		s.failed(known.Names[0], err)
	}
	return err
}

// journaled writes a certificate, the journal first.
func (s *saves) journaled(ctx context.Context, file string, b *saved) error {
	if _, err := tls.X509KeyPair(b.Certificate, b.Key); err != nil {
		return fmt.Errorf("it is of two orders at once, whose lock was given twice: %w", err)
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := s.Storage.Store(ctx, file+".journal", text); err != nil {
		return err
	}
	return s.write(ctx, file, b)
}

// write puts a certificate in its place, and removes the journal. One that stays is of
// no harm: it says the same.
func (s *saves) write(ctx context.Context, file string, b *saved) error {
	for i, ext := range []string{".key", ".crt", ".json"} {
		if err := s.Storage.Store(ctx, file+ext, b.values()[i]); err != nil {
			return err
		}
	}
	_ = s.Storage.Delete(ctx, file+".journal")
	return nil
}

// finish writes what a journal holds, if it is whole. The caller has the lock for orders
// of that name.
func (s *saves) finish(ctx context.Context, at site) error {
	text, err := s.Load(ctx, at.journal())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var b saved
	if json.Unmarshal(text, &b) != nil || b.damage(at.name) != "" {
		return s.Storage.Delete(ctx, at.journal())
	}
	return s.write(ctx, strings.TrimSuffix(at.journal(), ".journal"), &b)
}

// Delete implements certmagic.Storage. When a certificate could not be stored, what
// certmagic deletes of it was not written, and the old one is in its place.
func (s *saves) Delete(ctx context.Context, key string) error {
	prefix, ext := part(key)
	s.mu.Lock()
	b := s.begun[prefix]
	if b != nil && b.Key == nil && (ext == ".crt" || ext == ".key") {
		if ext == ".key" { // the last
			delete(s.begun, prefix)
		}
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return s.Storage.Delete(ctx, key)
}

// Lock implements certmagic.Locker.
func (s *saves) Lock(ctx context.Context, name string) error {
	domain, order := strings.CutPrefix(name, orderLock)
	if !order {
		return s.Storage.Lock(ctx, name)
	}
	select {
	case s.seats <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := s.Storage.Lock(ctx, name)
	if err == nil {
		return nil
	}
	<-s.seats
	if ctx.Err() == nil {
		err = &storageError{"the storage of certificates cannot be locked", err}
		s.failed(domain, err)
	}
	return err
}

// Unlock implements certmagic.Locker.
func (s *saves) Unlock(ctx context.Context, name string) error {
	if strings.HasPrefix(name, orderLock) {
		defer func() { <-s.seats }()
	}
	return release(ctx, s.Storage, name)
}

// release releases a lock, also when ctx has ended. It does not wait for long: a storage
// may have gone.
func release(ctx context.Context, s Storage, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	return s.Unlock(ctx, name)
}

// orderLock is how the names of certmagic's locks for orders begin.
const orderLock = "issue_cert_"

// RenewLockLease implements certmagic.LockLeaseRenewer for storages that have leases.
func (s *saves) RenewLockLease(ctx context.Context, name string, lease time.Duration) error {
	if r, ok := s.Storage.(certmagic.LockLeaseRenewer); ok {
		return r.RenewLockLease(ctx, name, lease)
	}
	return nil
}
