package acme

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/caddyserver/certmagic"
)

// OpenStorage returns a storage of files below dir, which is made with mode 0700, or
// closed to others if they may read it. Its locks are files that their holders keep
// fresh: those of a process that was killed are taken over after 10 seconds. Several
// nodes may share a directory whose file system has exclusive creation (most network
// file systems have); their clocks need not agree. After a power loss of a few nodes at
// once, or of a slow one, two may hold a lock; an order too many is then the worst.
//
// The error says that dir cannot be made, is not a directory, or that others may write
// to it.
func OpenStorage(dir string) (Storage, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the directory of certificates cannot be made: %w\n"+
			"   = help: certificates.acme.storage names another; its parent has to be writable for the user who runs the server", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("the directory of certificates cannot be looked at: %w\n   = help: certificates.acme.storage names another", err)
	}
	mode := info.Mode().Perm()
	if mode&0o022 != 0 {
		return nil, fmt.Errorf("others may write to the directory of certificates %s (mode %04o), and put keys of theirs there\n"+
			"   = help: run chmod 700 on it, or name a directory that is not there yet: it is made with the right mode", dir, mode)
	}
	if mode&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return nil, fmt.Errorf("others may read the directory of certificates %s (mode %04o), and it cannot be closed: %w\n"+
				"   = help: run chmod 700 on it as its owner", dir, mode, err)
		}
	}
	return newFiles(dir), nil
}

// storageError says what cannot be done with a storage, and what to do about that.
type storageError struct {
	what string
	err  error
}

func (e *storageError) Error() string { return e.plain() + "\n   = help: " + e.help() }
func (e *storageError) Unwrap() error { return e.err }

// plain is the error without help.
func (e *storageError) plain() string { return e.what + ": " + e.err.Error() }

func (e *storageError) help() string {
	switch {
	case errors.Is(e.err, syscall.ENOSPC), errors.Is(e.err, syscall.EDQUOT):
		return "make room where the certificates are stored; until then no certificate can be obtained or renewed"
	case errors.Is(e.err, syscall.EROFS):
		return "mount it writable, or name another directory with certificates.acme.storage"
	case errors.Is(e.err, fs.ErrPermission):
		return "the user who runs the server needs read and write access: chown -R USER the directory of certificates"
	case errors.Is(e.err, syscall.EISDIR):
		return "move that directory away; the certificate is then ordered anew"
	case errors.Is(e.err, errDiffers):
		return "nothing but edgeftp may change it, and it has to answer with what was stored last"
	}
	return "the storage is certificates.acme.storage, else the directory certificates of the state directory; is it there and in order?"
}

var errDiffers = errors.New("it answers with something else than was written")

// checkSize is more than a certificate with its key takes: a storage that is almost full
// is to be found out before an order is made.
const checkSize = 32 << 10

// CheckStorage writes, reads and deletes a value of 32 KiB. The error says which of them
// cannot be done, or that what was read is not what was written, and in a further line
// what to do.
func CheckStorage(ctx context.Context, s Storage) error {
	key, value := "check_"+rand.Text(), make([]byte, checkSize)
	_, _ = rand.Read(value) // never fails
	if err := s.Store(ctx, key, value); err != nil {
		return &storageError{"the storage of certificates cannot be written", err}
	}
	got, err := s.Load(ctx, key)
	if err == nil && !bytes.Equal(got, value) {
		err = errDiffers
	}
	deleted := s.Delete(ctx, key)
	if err != nil {
		return &storageError{"the storage of certificates cannot be read", err}
	}
	if deleted != nil {
		return &storageError{"nothing can be deleted in the storage of certificates", deleted}
	}
	return nil
}

// origin is what the storage knows of a certificate.
type origin struct {
	serial string
	ca     string    // the directory
	renew  time.Time // as the authority suggests (RFC 9773); zero: it does not
	at     time.Time // when it was read
}

// originAge is how long what was read holds: a storage may be far away, and lists of
// certificates are made at every scrape of the metrics.
const originAge = 10 * time.Minute

// origin returns what the storage knows of the certificate of a name.
func (m *Manager) origin(name, serial string) origin {
	m.mu.Lock()
	got, ok := m.origins[name]
	m.mu.Unlock()
	if ok && got.serial == serial && time.Since(got.at) < originAge {
		return got
	}
	got = origin{serial: serial, at: time.Now()}
	for _, is := range m.issuers {
		var known facts
		text, err := m.storage.Load(m.ctx, certmagic.StorageKeys.SiteMeta(is.IssuerKey(), name))
		if err != nil || json.Unmarshal(text, &known) != nil {
			continue
		}
		if got.ca = known.Issuer.CA; known.Issuer.RenewalInfo != nil {
			got.renew = known.Issuer.RenewalInfo.SelectedTime
		}
		break
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.origins[name] = got
	return got
}
