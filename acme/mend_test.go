package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// dispose ends a manager and says which files of the certificate it has stored.
func (b *bench) dispose(is *signer) site {
	b.Close()
	return site{is.IssuerKey(), stored}
}

func TestDamage(t *testing.T) {
	other := newTestCA(t, newKey(t))
	half := func(b []byte) []byte { return b[:len(b)/2] }
	for name, harm := range map[string]func(key, cert, facts *[]byte){
		"truncated key":         func(key, _, _ *[]byte) { *key = half(*key) },
		"truncated certificate": func(_, cert, _ *[]byte) { *cert = half(*cert) },
		"truncated facts":       func(_, _, facts *[]byte) { *facts = half(*facts) },
		"facts of another kind": func(_, _, facts *[]byte) { *facts = []byte("[1]") },
		"empty key":             func(key, _, _ *[]byte) { *key = []byte{} },
		"empty certificate":     func(_, cert, _ *[]byte) { *cert = []byte{} },
		"empty facts":           func(_, _, facts *[]byte) { *facts = []byte{} },
		"no key":                func(key, _, _ *[]byte) { *key = nil },
		"no certificate":        func(_, cert, _ *[]byte) { *cert = nil },
		"no facts":              func(_, _, facts *[]byte) { *facts = nil },
		"zeros":                 func(_, cert, _ *[]byte) { *cert = make([]byte, len(*cert)) },
		"another's key": func(key, _, _ *[]byte) {
			_, *key = pemPair(t, other.issue(newKey(t), stored))
		},
		"another name's certificate": func(key, cert, _ *[]byte) {
			*cert, *key = pemPair(t, other.issue(newKey(t), "other.example.org"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s, is := t.Context(), MemoryStorage(), &signer{ca: newTestCA(t, newKey(t))}
			b := newBench(t, s, is, nil)
			must(t, b.Start(ctx))
			old := b.serial(t, is.ca)
			at := b.dispose(is)
			found, err := at.load(ctx, s)
			must(t, err)
			harm(&found.Key, &found.Certificate, &found.Facts)
			for i, value := range found.values() {
				must(t, s.Delete(ctx, at.keys()[i]))
				if value != nil {
					must(t, s.Store(ctx, at.keys()[i], value))
				}
			}
			b = newBench(t, s, is, nil)
			must(t, b.Start(ctx))
			if b.serial(t, is.ca) == old || is.issued.Load() != 2 {
				t.Errorf("%d orders", is.issued.Load())
			}
			if log, _ := b.told(); !strings.Contains(log, "a stored certificate is damaged; it is ordered anew") {
				t.Errorf("the log says %s", log)
			}
			kept, err := s.List(ctx, "damaged", true)
			if left := found.values(); err != nil || len(kept) != len(slices.DeleteFunc(left, func(v []byte) bool { return v == nil })) {
				t.Errorf("put aside: %q, %v", kept, err)
			}
		})
	}
}

// What was put aside does not fill the disk.
func TestDamagedIsBounded(t *testing.T) {
	ctx, s, is := t.Context(), MemoryStorage(), &signer{ca: newTestCA(t, newKey(t))}
	b := newBench(t, s, is, nil)
	must(t, b.Start(ctx))
	at := b.dispose(is)
	for range mostDamaged + 5 {
		must(t, s.Store(ctx, at.keys()[1], []byte("damaged")))
		must(t, b.mend(ctx, at.issuer, stored))
	}
	kept, err := s.List(ctx, "damaged", false)
	if err != nil || len(kept) != mostDamaged {
		t.Errorf("%d are kept, %v", len(kept), err)
	}
}

// A key that clients pin outlasts the damage of its certificate.
func TestDamageKeepsKey(t *testing.T) {
	ctx, s, is := t.Context(), MemoryStorage(), &signer{ca: newTestCA(t, newKey(t))}
	keep := func(c *Config) { c.KeepKey = true }
	b := newBench(t, s, is, keep)
	must(t, b.Start(ctx))
	at := b.dispose(is)
	before, err := s.Load(ctx, at.keys()[0])
	must(t, err)
	must(t, s.Store(ctx, at.keys()[1], []byte("damaged")))
	is.refuse = true
	for range 2 { // the second finds the key alone
		b = newBench(t, s, is, keep)
		says(t, b.Start(ctx), "no order is expected")
		b.Close()
		must(t, s.Delete(ctx, "attempts")) // the next start does not wait
	}
	is.refuse = false
	must(t, newBench(t, s, is, keep).Start(ctx))
	after, err := s.Load(ctx, at.keys()[0])
	if err != nil || string(after) != string(before) {
		t.Errorf("the key has changed, %v", err)
	}
}

// What cannot be read stops the start, which says what to do.
func TestUnreadable(t *testing.T) {
	ctx, is := t.Context(), &signer{ca: newTestCA(t, newKey(t))}
	s, err := OpenStorage(filepath.Join(t.TempDir(), "certificates"))
	must(t, err)
	b := newBench(t, s, is, nil)
	must(t, b.Start(ctx))
	at := b.dispose(is)
	for i, key := range at.keys() {
		f := &faults{Storage: s}
		f.set(func(op, k string) error {
			if op == "load" && k == key {
				return syscall.EACCES
			}
			return nil
		})
		says(t, newBench(t, f, is, nil).Start(ctx), stored, "permission denied", "= help: the user who runs the server")
		file := s.(*files).Filename(key)
		must(t, os.Rename(file, file+".away"))
		must(t, os.Mkdir(file, 0o700))
		says(t, newBench(t, s, is, nil).Start(ctx), stored, "is a directory", filepath.Base(file), "= help: move that directory away")
		must(t, os.Remove(file))
		must(t, os.Rename(file+".away", file))
		if i == 0 {
			must(t, newBench(t, s, is, nil).Start(ctx))
		}
	}
	if is.issued.Load() != 1 {
		t.Errorf("%d orders", is.issued.Load())
	}
}

// tape notes what is changed in a storage.
type tape struct {
	Storage
	mu  sync.Mutex
	ops []change
}

type change struct {
	key   string
	value []byte // nil: deleted
}

func (s *tape) Store(ctx context.Context, key string, value []byte) error {
	s.note(change{key, slices.Clone(value)})
	return s.Storage.Store(ctx, key, value)
}

func (s *tape) Delete(ctx context.Context, key string) error {
	s.note(change{key, nil})
	return s.Storage.Delete(ctx, key)
}

func (s *tape) note(c change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(c.key, "certificates/") {
		s.ops = append(s.ops, c)
	}
}

func (c change) apply(t *testing.T, s Storage) {
	t.Helper()
	if c.value == nil {
		must(t, s.Delete(t.Context(), c.key))
	} else {
		must(t, s.Store(t.Context(), c.key, c.value))
	}
}

// renewed are the changes that make a first certificate, and those of its renewal; with
// the serial numbers.
func renewed(t *testing.T, is *signer) (first, second []change, old, fresh string) {
	t.Helper()
	s := &tape{Storage: MemoryStorage()}
	b := newBench(t, s, is, nil)
	must(t, b.Start(t.Context()))
	old, first = b.serial(t, is.ca), s.ops
	s.ops = nil
	must(t, b.Renew(t.Context(), stored))
	if fresh = b.serial(t, is.ca); fresh == old {
		t.Fatal("the renewed certificate is not served")
	}
	return first, s.ops, old, fresh
}

// The power fails between two writes of a renewal: the next start has the old
// certificate or the new one, and needs no authority.
func TestCutPoints(t *testing.T) {
	is := &signer{ca: newTestCA(t, newKey(t))}
	first, second, old, fresh := renewed(t, is)
	if len(second) != 5 {
		t.Fatalf("a renewal makes %d changes: %v", len(second), second)
	}
	is.refuse = true
	for n := range len(second) + 1 {
		s := MemoryStorage()
		for _, c := range slices.Concat(first, second[:n]) {
			c.apply(t, s)
		}
		b := newBench(t, s, is, nil)
		must(t, b.Start(t.Context()))
		want := fresh
		if n == 0 {
			want = old
		}
		if got := b.serial(t, is.ca); got != want {
			t.Errorf("after %d changes: %s; the old one is %s, the new one %s", n, got, old, fresh)
		}
		if left, _ := s.List(t.Context(), "certificates", true); len(left) != 3 {
			t.Errorf("after %d changes there is %q", n, left)
		}
		b.Close()
	}
}

// A file system that does not keep the order of changes may lose any of them: what is
// served is a pair, and one is ordered anew where neither is whole.
func TestLostChanges(t *testing.T) {
	is := &signer{ca: newTestCA(t, newKey(t))}
	first, second, old, fresh := renewed(t, is)
	outcome := map[string]int{}
	for set := range 1 << len(second) {
		s := MemoryStorage()
		for _, c := range first {
			c.apply(t, s)
		}
		for i, c := range second {
			if set&(1<<i) != 0 {
				c.apply(t, s)
			}
		}
		b := newBench(t, s, is, nil)
		must(t, b.Start(t.Context()))
		switch b.serial(t, is.ca) {
		case old:
			outcome["old"]++
		case fresh:
			outcome["new"]++
		default:
			outcome["ordered anew"]++
		}
		b.Close()
	}
	t.Logf("of %d: %v", 1<<len(second), outcome)
	if outcome["old"] == 0 || outcome["new"] == 0 || outcome["ordered anew"] == 0 {
		t.Error("an outcome is missing")
	}
}

// The first certificate, likewise: before its journal there is none, and it is ordered.
func TestCutPointsOfFirst(t *testing.T) {
	is := &signer{ca: newTestCA(t, newKey(t))}
	first, _, old, _ := renewed(t, is)
	for n := range len(first) + 1 {
		s := MemoryStorage()
		for _, c := range first[:n] {
			c.apply(t, s)
		}
		b := newBench(t, s, is, nil)
		must(t, b.Start(t.Context()))
		if got := b.serial(t, is.ca); (got == old) != (n > 0) {
			t.Errorf("after %d changes: %s, the first is %s", n, got, old)
		}
		b.Close()
	}
}

// The disk becomes full at any write of a renewal: the old certificate is served on, and
// the next start has it, or the new one.
func TestFullWhileRenewing(t *testing.T) {
	for n := range 4 {
		is := &signer{ca: newTestCA(t, newKey(t))}
		f := &faults{Storage: MemoryStorage()}
		b := newBench(t, f, is, nil)
		must(t, b.Start(t.Context()))
		old, writes := b.serial(t, is.ca), 0
		f.set(func(op, key string) error {
			if op != "store" || !strings.HasPrefix(key, "certificates/") {
				return nil
			}
			if writes++; writes > n {
				return syscall.ENOSPC
			}
			return nil
		})
		says(t, b.Renew(t.Context(), stored), "no space left")
		if got := b.serial(t, is.ca); got != old {
			t.Errorf("write %d: %s is served, the old one is %s", n, got, old)
		}
		log, events := b.told()
		last := events[len(events)-1]
		if last.Err == nil || last.First || last.Leaf.SerialNumber.String() != old || !errors.Is(last.Err, syscall.ENOSPC) || len(events) != 2 {
			t.Errorf("write %d: events %v", n, events)
		}
		if !strings.Contains(log, "the one in use stays") || !strings.Contains(log, "make room") {
			t.Errorf("write %d: the log says %s", n, log)
		}
		b.Close()
		f.set(nil)
		is.refuse = true
		next := newBench(t, f, is, nil)
		must(t, next.Start(t.Context()))
		if got := next.serial(t, is.ca); (got == old) != (n == 0) {
			t.Errorf("write %d: after a start %s is served, the old one is %s", n, got, old)
		}
	}
}

// due makes certificates that are to be renewed at once.
func due(c *x509.Certificate) { c.NotBefore = c.NotBefore.Add(-24 * time.Hour) }

// The storage is full when a certificate is due: that is told, no order is made, and the
// renewal comes when there is space again.
func TestDueWhileFull(t *testing.T) {
	is := &signer{ca: newTestCA(t, newKey(t))}
	is.ca.change = due
	f := &faults{Storage: MemoryStorage()}
	b := newBench(t, f, is, func(c *Config) { c.every = 20 * time.Millisecond })
	f.set(func(op, key string) error {
		if is.issued.Load() > 0 && strings.HasPrefix(key, "check_") {
			return noRoom(op, key)
		}
		return nil
	})
	must(t, b.Start(t.Context()))
	old := b.serial(t, is.ca)
	soon(t, func() bool {
		_, events := b.told()
		return slices.ContainsFunc(events, func(e CertEvent) bool { return errors.Is(e.Err, syscall.ENOSPC) })
	})
	if is.issued.Load() != 1 || b.serial(t, is.ca) != old {
		t.Errorf("%d orders, though nothing could be kept", is.issued.Load())
	}
	f.set(nil)
	must(t, b.Renew(t.Context(), stored))
	if b.serial(t, is.ca) == old {
		t.Error("it was not renewed")
	}
}

// A server whose certificates are there starts with a full disk; one that needs an order
// does not.
func TestStartFull(t *testing.T) {
	is := &signer{ca: newTestCA(t, newKey(t))}
	f := &faults{Storage: MemoryStorage()}
	f.set(noRoom)
	says(t, newBench(t, f, is, nil).Start(t.Context()), "cannot be written", "= help: make room")
	f.set(nil)
	b := newBench(t, f, is, nil)
	must(t, b.Start(t.Context()))
	old := b.serial(t, is.ca)
	b.Close()
	f.set(noRoom)
	b = newBench(t, f, is, nil)
	must(t, b.Start(t.Context()))
	if got := b.serial(t, is.ca); got != old {
		t.Errorf("%s is served, not %s", got, old)
	}
	if log, _ := b.told(); !strings.Contains(log, "certificates are served, and cannot be renewed") || !strings.Contains(log, "level=ERROR") {
		t.Errorf("the log says %s", log)
	}
}

// The directory vanishes under a running server: it serves from memory, and a renewal
// makes the directory again.
func TestStorageGone(t *testing.T) {
	is := &signer{ca: newTestCA(t, newKey(t))}
	dir := filepath.Join(t.TempDir(), "certificates")
	s, err := OpenStorage(dir)
	must(t, err)
	b := newBench(t, s, is, nil)
	must(t, b.Start(t.Context()))
	old := b.serial(t, is.ca)
	must(t, os.RemoveAll(dir))
	if got := b.serial(t, is.ca); got != old {
		t.Errorf("%s is served", got)
	}
	must(t, os.WriteFile(dir, nil, 0o600)) // not even root makes a directory here
	says(t, b.Renew(t.Context(), stored), "not a directory")
	if got := b.serial(t, is.ca); got != old {
		t.Errorf("%s is served", got)
	}
	if _, events := b.told(); len(events) != 2 || events[1].Err == nil {
		t.Errorf("events: %v", events)
	}
	must(t, os.Remove(dir))
	must(t, b.Renew(t.Context(), stored))
	if got := b.serial(t, is.ca); got == old {
		t.Error("it was not renewed")
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

// A node finds a certificate half written because another one writes it now: it waits,
// and puts nothing aside.
func TestMendWaits(t *testing.T) {
	is := &signer{ca: newTestCA(t, newKey(t))}
	first, second, _, fresh := renewed(t, is)
	is.refuse = true
	s := MemoryStorage()
	for _, c := range slices.Concat(first, second[:2]) { // the journal, and the key
		c.apply(t, s)
	}
	must(t, s.Lock(t.Context(), "issue_cert_"+stored))
	b := newBench(t, s, is, nil)
	started := make(chan error, 1)
	go func() { started <- b.Start(t.Context()) }()
	select {
	case err := <-started:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	for _, c := range second[2:] {
		c.apply(t, s)
	}
	must(t, s.Unlock(t.Context(), "issue_cert_"+stored))
	must(t, <-started)
	if got := b.serial(t, is.ca); got != fresh {
		t.Errorf("%s is served, not %s", got, fresh)
	}
	if kept, _ := s.List(t.Context(), "damaged", true); len(kept) > 0 {
		t.Errorf("put aside: %q", kept)
	}
}

// The lock of certmagic's orders has the name that mend uses.
func TestMendLock(t *testing.T) {
	is := &signer{ca: newTestCA(t, newKey(t))}
	f := &faults{Storage: MemoryStorage()}
	var locks []string
	f.set(func(op, key string) error {
		if op == "lock" {
			locks = append(locks, key)
		}
		return nil
	})
	must(t, newBench(t, f, is, nil).Start(t.Context()))
	if !slices.Equal(locks, []string{"issue_cert_" + stored}) {
		t.Errorf("locks: %q", locks)
	}
}

// A pair that does not fit is never written, also when a storage gives a lock twice.
func TestSavesFit(t *testing.T) {
	ca := newTestCA(t, newKey(t))
	storage := MemoryStorage()
	s := newSaves(storage, func(string, error) {})
	at := site{"fake.example", "ftp.example"}
	put := func(i int, value []byte) error { return s.Store(t.Context(), at.keys()[i], value) }
	certA, keyA := pemPair(t, ca.issue(newKey(t), at.name))
	_, keyB := pemPair(t, ca.issue(newKey(t), at.name))
	facts := []byte(`{"sans":["ftp.example"]}`)
	must(t, put(0, keyA))
	must(t, put(0, keyB)) // another order for the same name
	must(t, put(1, certA))
	if err := put(2, facts); err == nil {
		t.Error("nobody says that it does not fit")
	}
	found, err := at.load(t.Context(), storage)
	must(t, err)
	if found.begun || !found.none() {
		t.Errorf("stored: journal %v, %s", found.begun, found.damage(at.name))
	}
}

// Facts that would break the engine are damage.
func TestDamagedFacts(t *testing.T) {
	ca := newTestCA(t, newKey(t))
	cert, key := pemPair(t, ca.issue(newKey(t), "ftp.example"))
	now := time.Now().Format(time.RFC3339)
	s := &saved{Key: key, Certificate: cert, Facts: []byte(`{"sans":["ftp.example"],"issuer_data":{"renewal_info":{"suggestedWindow":{"start":"` + now + `","end":"` + now + `"}}}}`)}
	if s.damage("ftp.example") == "" {
		t.Error("a window without width, for which certmagic panics, is taken")
	}
}
