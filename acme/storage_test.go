package acme

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// signer is an authority without a protocol.
type signer struct {
	ca     *testCA
	issued atomic.Int32
	refuse bool
}

func (is *signer) IssuerKey() string { return "https://ca.example/dir" }

func (is *signer) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	if is.refuse {
		return nil, errors.New("no order is expected")
	}
	is.issued.Add(1)
	template := is.ca.template("leaf")
	template.DNSNames, template.IPAddresses = csr.DNSNames, csr.IPAddresses
	if is.ca.change != nil {
		is.ca.change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, is.ca.cert, csr.PublicKey, is.ca.key)
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Metadata: rfc8555.Certificate{CA: is.IssuerKey()}}, nil
}

// bench is a manager over a storage, with what it tells.
type bench struct {
	*Manager
	log    bytes.Buffer
	mu     sync.Mutex
	events []CertEvent
}

// Write keeps what is logged.
func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *bench) told() (string, []CertEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String(), append([]CertEvent(nil), b.events...)
}

const stored = "ftp.example.org"

func newBench(t *testing.T, s Storage, is *signer, change func(*Config)) *bench {
	t.Helper()
	b := &bench{}
	conf := Config{Names: []string{stored}, Storage: s, issuers: []certmagic.Issuer{is}, Log: slog.New(slog.NewTextHandler(b, nil)),
		Event: func(e CertEvent) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		}}
	if change != nil {
		change(&conf)
	}
	m, err := NewManager(conf)
	must(t, err)
	b.Manager = m
	t.Cleanup(m.Close)
	return b
}

// Start begins, and waits for the first certificate.
func (b *bench) Start(ctx context.Context) error {
	err := b.Load(ctx)
	if err == nil && len(b.held(stored)) == 0 {
		err = b.obtain(ctx, stored)
	}
	if err != nil {
		return err
	}
	return b.Manager.Start(ctx)
}

// serial is that of the certificate which a client is shown, after a real handshake.
func (b *bench) serial(t *testing.T, ca *testCA) string {
	t.Helper()
	state, err := shake(t, b.Config(Choice{}), &tls.Config{RootCAs: ca.pool, ServerName: stored})
	must(t, err)
	return state.PeerCertificates[0].SerialNumber.String()
}

// faults is a storage that fails where a test says so.
type faults struct {
	Storage
	mu   sync.Mutex
	fail func(op, key string) error // nil: nothing fails
}

func (f *faults) set(fail func(op, key string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *faults) try(op, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	if err := f.fail(op, key); err != nil {
		return &fs.PathError{Op: op, Path: key, Err: err}
	}
	return nil
}

func (f *faults) Store(ctx context.Context, key string, value []byte) error {
	if err := f.try("store", key); err != nil {
		return err
	}
	return f.Storage.Store(ctx, key, value)
}

func (f *faults) Load(ctx context.Context, key string) ([]byte, error) {
	if err := f.try("load", key); err != nil {
		return nil, err
	}
	return f.Storage.Load(ctx, key)
}

func (f *faults) Delete(ctx context.Context, key string) error {
	if err := f.try("delete", key); err != nil {
		return err
	}
	return f.Storage.Delete(ctx, key)
}

func (f *faults) Lock(ctx context.Context, name string) error {
	if err := f.try("lock", name); err != nil {
		return err
	}
	return f.Storage.Lock(ctx, name)
}

// noRoom is a disk that takes nothing more.
func noRoom(op, _ string) error {
	if op == "store" {
		return syscall.ENOSPC
	}
	return nil
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; it is to say %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error %q does not say %q", err, w)
		}
	}
}

func TestOpenStorage(t *testing.T) {
	dir := t.TempDir()
	mode := func(name string) fs.FileMode {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		return info.Mode().Perm()
	}
	s, err := OpenStorage(filepath.Join(dir, "new", "deep"))
	must(t, err)
	must(t, CheckStorage(t.Context(), s))
	if mode("new/deep") != 0o700 {
		t.Errorf("it is made with mode %04o", mode("new/deep"))
	}
	must(t, os.Mkdir(filepath.Join(dir, "read"), 0o755))
	_, err = OpenStorage(filepath.Join(dir, "read"))
	must(t, err)
	if mode("read") != 0o700 {
		t.Errorf("it stays open to others: %04o", mode("read"))
	}
	for _, m := range []fs.FileMode{0o777, 0o770, 0o702} {
		must(t, os.Chmod(filepath.Join(dir, "read"), m))
		_, err = OpenStorage(filepath.Join(dir, "read"))
		says(t, err, "others may write", "chmod 700", "\n   = help: ")
	}
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for _, name := range []string{"file", "file/below"} {
		_, err = OpenStorage(filepath.Join(dir, name))
		says(t, err, "file: not a directory", "= help: certificates.acme.storage")
	}
	must(t, os.Symlink(filepath.Join(dir, "new"), filepath.Join(dir, "link")))
	s, err = OpenStorage(filepath.Join(dir, "link"))
	must(t, err)
	must(t, CheckStorage(t.Context(), s))
	must(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling")))
	_, err = OpenStorage(filepath.Join(dir, "dangling"))
	says(t, err, "dangling", "= help:")
}

func TestCheckStorage(t *testing.T) {
	f := &faults{Storage: MemoryStorage()}
	for _, c := range []struct {
		op    string
		err   error
		words []string
	}{
		{"store", syscall.ENOSPC, []string{"cannot be written", "no space", "= help: make room"}},
		{"store", syscall.EDQUOT, []string{"cannot be written", "= help: make room"}},
		{"store", syscall.EROFS, []string{"cannot be written", "= help: mount it writable"}},
		{"store", syscall.EACCES, []string{"cannot be written", "= help: the user who runs the server"}},
		{"load", syscall.EIO, []string{"cannot be read", "= help: the storage is certificates.acme.storage"}},
		{"load", fs.ErrNotExist, []string{"cannot be read", "= help: "}},
		{"delete", syscall.EACCES, []string{"nothing can be deleted", "= help: the user"}},
	} {
		f.set(func(op, _ string) error {
			if op == c.op {
				return c.err
			}
			return nil
		})
		says(t, CheckStorage(t.Context(), f), c.words...)
	}
	f.set(nil)
	must(t, CheckStorage(t.Context(), f))
	says(t, CheckStorage(t.Context(), &outdated{Storage: MemoryStorage()}), "something else than was written", "= help: nothing but edgeftp")
	if list, _ := f.List(t.Context(), "", true); len(list) > 1 { // that of the failed deletion
		t.Errorf("left behind: %q", list)
	}
}

// outdated answers with an old value.
type outdated struct{ Storage }

func (s *outdated) Load(context.Context, string) ([]byte, error) { return []byte("old"), nil }

// A lock file that holds anything at all is taken over when it does not change; with
// certmagic's own locks it was an error for good.
func TestDamagedLock(t *testing.T) {
	for _, text := range []string{"", "\x00\x00\x00", "{", "not a lock"} {
		s := newFiles(t.TempDir())
		s.beat, s.grace, s.poll = 10*time.Millisecond, 200*time.Millisecond, 20*time.Millisecond
		must(t, os.Mkdir(filepath.Join(s.Path, "locks"), 0o700))
		must(t, os.WriteFile(s.lockPath("x"), []byte(text), 0o600))
		if ok, err := s.TryLock(t.Context(), "x"); ok || err != nil {
			t.Fatalf("a lock of unknown age: %v, %v", ok, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		must(t, s.Lock(ctx, "x"))
		must(t, s.Unlock(ctx, "x"))
		cancel()
		if left, _ := os.ReadDir(filepath.Join(s.Path, "locks")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// A holder that was away for too long has lost its lock, and does not release that of
// its successor.
func TestLockLost(t *testing.T) {
	dir := t.TempDir()
	a, b := newFiles(dir), newFiles(dir)
	a.beat, b.grace = time.Hour, 50*time.Millisecond
	must(t, a.Lock(t.Context(), "x"))
	must(t, b.Lock(t.Context(), "x"))
	says(t, a.Unlock(t.Context(), "x"), "taken it over")
	if ok, err := a.TryLock(t.Context(), "x"); ok || err != nil {
		t.Errorf("the successor's lock is gone: %v, %v", ok, err)
	}
	must(t, b.Unlock(t.Context(), "x"))
}

// Who takes over a lock may die while it does so.
func TestLockBuriedTwice(t *testing.T) {
	s := newFiles(t.TempDir())
	s.beat, s.grace, s.poll = 10*time.Millisecond, 200*time.Millisecond, 20*time.Millisecond
	must(t, os.Mkdir(filepath.Join(s.Path, "locks"), 0o700))
	for _, path := range []string{s.lockPath("x"), s.lockPath("x") + ".dead"} {
		must(t, os.WriteFile(path, []byte("somebody"), 0o600))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	must(t, s.Lock(ctx, "x"))
	must(t, s.Unlock(ctx, "x"))
	if left, _ := os.ReadDir(filepath.Join(s.Path, "locks")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Many wait for the lock of a dead holder, and one at a time has it.
func TestLockBuried(t *testing.T) {
	dir := t.TempDir()
	dead := newFiles(dir)
	dead.beat = time.Hour
	must(t, dead.Lock(t.Context(), "x"))
	var holders, most atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s := newFiles(dir)
			s.beat, s.grace, s.poll = 20*time.Millisecond, time.Second, 20*time.Millisecond
			if err := s.Lock(t.Context(), "x"); err != nil {
				t.Error(err)
				return
			}
			n := holders.Add(1)
			most.Store(max(most.Load(), n))
			<-time.After(10 * time.Millisecond)
			holders.Add(-1)
			if err := s.Unlock(t.Context(), "x"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d have held it at once", most.Load())
	}
	says(t, dead.Unlock(t.Context(), "x"), "cannot be released")
}

// A lock that is another one by now, or whose holder lives after all, is not removed.
func TestLockBuriedTooLate(t *testing.T) {
	s := newFiles(t.TempDir())
	path := s.lockPath("x")
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte("somebody else"), 0o600))
	if gone, err := s.bury(path, "the dead one"); gone || err != nil {
		t.Errorf("gone %v, %v", gone, err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "somebody else" {
		t.Errorf("%q, %v", text, err)
	}
}
