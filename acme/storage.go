package acme

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/caddyserver/certmagic"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// OpenStorage returns a storage of files below dir, which is made with mode 0700. Its
// locks are files that their holders keep fresh, so that those of a process that was
// killed are taken over after some seconds. Several nodes may share a directory whose
// file system has exclusive creation (most network file systems).
//
// The error says that dir cannot be made, is not a directory, or that others may write
// to it.
func OpenStorage(dir string) (Storage, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the directory of certificates cannot be made: %w", err)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the directory of certificates cannot be looked at: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		if err := os.Chmod(dir, 0o700); err != nil {
			return nil, fmt.Errorf("the directory of certificates %s is open to others (mode %04o), and cannot be closed: %w", dir, info.Mode().Perm(), err)
		}
	}
	return &certmagic.FileStorage{Path: dir}, nil
}

// CheckStorage writes, reads and deletes a value. The error says which of them cannot be
// done, or that what was read is not what was written.
func CheckStorage(ctx context.Context, s Storage) error {
	key, value := "check_"+rand.Text(), []byte(rand.Text())
	if err := s.Store(ctx, key, value); err != nil {
		return fmt.Errorf("the storage of certificates cannot be written: %w", err)
	}
	got, err := s.Load(ctx, key)
	if err == nil && !bytes.Equal(got, value) {
		err = errors.New("it answers with something else than was written")
	}
	if err != nil {
		return fmt.Errorf("the storage of certificates cannot be read: %w", err)
	}
	if err := s.Delete(ctx, key); err != nil {
		return fmt.Errorf("nothing can be deleted in the storage of certificates: %w", err)
	}
	return nil
}

// mend puts the files of a certificate aside if they are damaged, so that it is
// ordered anew. What cannot be read at all is an error.
func (m *Manager) mend(ctx context.Context, issuer, name string) error {
	keys := certmagic.StorageKeys
	files := []string{keys.SiteCert(issuer, name), keys.SitePrivateKey(issuer, name), keys.SiteMeta(issuer, name)}
	var data [3][]byte
	var absent int
	for i, key := range files {
		var err error
		if data[i], err = m.storage.Load(ctx, key); errors.Is(err, fs.ErrNotExist) {
			absent++
		} else if err != nil {
			return err
		}
	}
	if absent == len(files) {
		return nil
	}
	why := damage(data)
	if why == "" {
		return nil
	}
	to := path.Join("damaged", time.Now().UTC().Format("20060102-150405"), keys.Safe(issuer))
	for i, key := range files {
		if data[i] == nil {
			continue
		}
		if err := m.storage.Store(ctx, path.Join(to, path.Base(key)), data[i]); err != nil {
			return err
		}
	}
	for _, key := range files {
		if err := m.storage.Delete(ctx, key); err != nil {
			return err
		}
	}
	m.log.Error("a stored certificate is damaged; it is ordered anew", "name", name, "issuer", issuer, "damage", why, "moved_to", to)
	return nil
}

// damage says what is wrong with a stored certificate, key and their facts.
func damage(data [3][]byte) string {
	for i, what := range []string{"certificate", "key", "facts"} {
		if len(data[i]) == 0 {
			return "the " + what + " is missing or empty"
		}
	}
	if _, err := tls.X509KeyPair(data[0], data[1]); err != nil {
		return "the certificate and its key: " + err.Error()
	}
	if !json.Valid(data[2]) {
		return "the facts are no JSON"
	}
	return ""
}

// stored returns what the storage knows of a certificate: the authority, and when that
// suggests to renew it (RFC 9773), else the time that is given.
func (m *Manager) stored(name string, renew time.Time) (string, time.Time) {
	for _, c := range m.held(name) {
		for _, is := range m.issuers {
			var facts struct {
				Issuer rfc8555.Certificate `json:"issuer_data"`
			}
			text, err := m.storage.Load(m.ctx, certmagic.StorageKeys.SiteMeta(is.IssuerKey(), name))
			if err != nil || json.Unmarshal(text, &facts) != nil || c.Leaf == nil {
				continue
			}
			if r := facts.Issuer.RenewalInfo; r != nil && !r.SelectedTime.IsZero() && r.SelectedTime.Before(renew) {
				renew = r.SelectedTime
			}
			return facts.Issuer.CA, renew
		}
	}
	return "", renew
}
