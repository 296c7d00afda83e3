package acmetest

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/acme"
)

func TestMain(m *testing.M) {
	if task := os.Getenv("ACMETEST_NODE"); task != "" {
		os.Exit(child(task))
	}
	goleak.VerifyTestMain(m)
}

// The stores of this module do what they must.
func TestStores(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		Storage(t, func(*testing.T) (a, b acme.Storage) {
			s := acme.MemoryStorage()
			return s, s
		})
	})
	t.Run("files", func(t *testing.T) { Storage(t, openFiles) })
}

func openFiles(t *testing.T) (a, b acme.Storage) {
	dir := t.TempDir()
	return node(t, dir), node(t, dir)
}

func node(t *testing.T, dir string) acme.Storage {
	s, err := acme.OpenStorage(dir + "/certificates")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// recorder is a test whose failure is no failure of the test.
type recorder struct {
	testing.TB
	mu   sync.Mutex
	said []string
}

func (r *recorder) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, text)
}

func (r *recorder) Error(args ...any)                 { r.note("Error") }
func (r *recorder) Errorf(format string, args ...any) { r.note(format) }
func (r *recorder) Fatal(args ...any)                 { r.note("Fatal"); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) { r.note(format); runtime.Goexit() }

// broken is a store in which a test can replace single methods.
type broken struct {
	acme.Storage
	store  func(ctx context.Context, key string, value []byte) error
	load   func(ctx context.Context, key string) ([]byte, error)
	remove func(ctx context.Context, key string) error
	exists func(ctx context.Context, key string) bool
	list   func(ctx context.Context, prefix string, recursive bool) ([]string, error)
	lock   func(ctx context.Context, name string) error
	unlock func(ctx context.Context, name string) error
}

func (s *broken) Store(ctx context.Context, key string, value []byte) error {
	if s.store != nil {
		return s.store(ctx, key, value)
	}
	return s.Storage.Store(ctx, key, value)
}

func (s *broken) Load(ctx context.Context, key string) ([]byte, error) {
	if s.load != nil {
		return s.load(ctx, key)
	}
	return s.Storage.Load(ctx, key)
}

func (s *broken) Delete(ctx context.Context, key string) error {
	if s.remove != nil {
		return s.remove(ctx, key)
	}
	return s.Storage.Delete(ctx, key)
}

func (s *broken) Exists(ctx context.Context, key string) bool {
	if s.exists != nil {
		return s.exists(ctx, key)
	}
	return s.Storage.Exists(ctx, key)
}

func (s *broken) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	if s.list != nil {
		return s.list(ctx, prefix, recursive)
	}
	return s.Storage.List(ctx, prefix, recursive)
}

func (s *broken) Lock(ctx context.Context, name string) error {
	if s.lock != nil {
		return s.lock(ctx, name)
	}
	return s.Storage.Lock(ctx, name)
}

func (s *broken) Unlock(ctx context.Context, name string) error {
	if s.unlock != nil {
		return s.unlock(ctx, name)
	}
	return s.Storage.Unlock(ctx, name)
}

// Each broken store is found out by the check that is for it. Most of the time is waiting.
func TestMutants(t *testing.T) {
	var all sync.WaitGroup
	for _, m := range mutants() {
		all.Go(func() {
			failed := failing(t, func() (a, b acme.Storage) {
				s := acme.MemoryStorage()
				one, two := &broken{Storage: s}, &broken{Storage: s}
				m.damage(one, s)
				if !m.oneNode {
					m.damage(two, s)
				}
				return one, two
			})
			if !slices.Contains(failed, m.found) {
				t.Errorf("%s: it fails in %q, and not in %q", m.name, failed, m.found)
			}
		})
	}
	all.Wait()
}

// failing are the checks that a store fails.
func failing(t *testing.T, open func() (a, b acme.Storage)) (failed []string) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, c := range slices.Concat(valueChecks(), listChecks(), lockChecks()) {
		all.Go(func() {
			r := &recorder{TB: t}
			a, b := open()
			done := make(chan struct{})
			go func() {
				defer close(done)
				bed := newBed(r, a, b)
				bed.patience = time.Second
				c.run(bed)
			}()
			<-done
			mu.Lock()
			defer mu.Unlock()
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.said) > 0 {
				failed = append(failed, c.name)
			}
		})
	}
	all.Wait()
	return failed
}

// A store in order fails nothing here either: it is not the test that breaks it. Its two
// nodes cannot be told apart, which alone is found.
func TestNoMutant(t *testing.T) {
	failed := failing(t, func() (a, b acme.Storage) {
		s := acme.MemoryStorage()
		return &broken{Storage: s}, &broken{Storage: s}
	})
	if !slices.Equal(failed, []string{"a lock is released by its holder"}) {
		t.Errorf("it fails in %q", failed)
	}
	failed = failing(t, func() (a, b acme.Storage) {
		s := &broken{Storage: acme.MemoryStorage()}
		return s, s
	})
	if len(failed) > 0 {
		t.Errorf("it fails in %q", failed)
	}
}

type mutant struct {
	name, found string
	oneNode     bool
	damage      func(m *broken, s acme.Storage)
}

func mutants() []mutant {
	return []mutant{
		{"locks are ignored", "a lock excludes", false, func(m *broken, _ acme.Storage) {
			m.lock = func(context.Context, string) error { return nil }
			m.unlock = func(context.Context, string) error { return nil }
		}},
		{"locks are ignored, and counted", "a lock counts", false, func(m *broken, _ acme.Storage) {
			m.lock = func(context.Context, string) error { return nil }
			m.unlock = func(context.Context, string) error { return nil }
			m.store = func(ctx context.Context, key string, value []byte) error {
				runtime.Gosched()
				return m.Storage.Store(ctx, key, value)
			}
			m.load = func(ctx context.Context, key string) ([]byte, error) {
				got, err := m.Storage.Load(ctx, key)
				select {
				case <-time.After(time.Millisecond):
				case <-ctx.Done():
				}
				return got, err
			}
		}},
		{"locks hold in their own node alone", "a lock excludes", true, func(m *broken, _ acme.Storage) {
			own := acme.MemoryStorage()
			m.lock, m.unlock = own.Lock, own.Unlock
		}},
		{"a wait gives up at once", "a lock excludes", false, func(m *broken, s acme.Storage) {
			m.lock = func(ctx context.Context, name string) error {
				ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				return s.Lock(ctx, name)
			}
		}},
		{"a wait does not end", "a wait ends with its context", false, func(m *broken, s acme.Storage) {
			m.lock = func(ctx context.Context, name string) error {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				defer cancel()
				return s.Lock(ctx, name)
			}
		}},
		{"who gave up has the lock", "a wait ends with its context", false, func(m *broken, s acme.Storage) {
			m.lock = func(ctx context.Context, name string) error {
				got := make(chan error, 1)
				go func() {
					late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
					defer cancel()
					got <- s.Lock(late, name)
				}()
				select {
				case err := <-got:
					return err
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}},
		{"anybody releases", "a lock is released by its holder", false, func(*broken, acme.Storage) {}},
		{"locks are never released", "a lock excludes", false, func(m *broken, _ acme.Storage) {
			m.unlock = func(context.Context, string) error { return errLost }
		}},
		{"values are torn", "values are whole", false, func(m *broken, s acme.Storage) {
			m.store = func(ctx context.Context, key string, value []byte) error {
				_ = s.Store(ctx, key, value[:len(value)/2])
				runtime.Gosched()
				return s.Store(ctx, key, value)
			}
		}},
		{"values are missing while they are written", "values are whole", false, func(m *broken, s acme.Storage) {
			m.store = func(ctx context.Context, key string, value []byte) error {
				_ = s.Delete(ctx, key)
				runtime.Gosched()
				return s.Store(ctx, key, value)
			}
		}},
		{"missing keys are empty", "missing keys", false, func(m *broken, s acme.Storage) {
			m.load = func(ctx context.Context, key string) ([]byte, error) {
				got, _ := s.Load(ctx, key)
				return got, nil
			}
		}},
		{"missing keys are another error", "missing keys", false, func(m *broken, s acme.Storage) {
			m.load = func(ctx context.Context, key string) ([]byte, error) {
				got, err := s.Load(ctx, key)
				if err != nil {
					err = errLost
				}
				return got, err
			}
		}},
		{"everything exists", "missing keys", false, func(m *broken, _ acme.Storage) {
			m.exists = func(context.Context, string) bool { return true }
		}},
		{"the deletion of what is missing is an error", "missing keys", false, func(m *broken, s acme.Storage) {
			m.remove = func(ctx context.Context, key string) error {
				if !s.Exists(ctx, key) {
					return fs.ErrNotExist
				}
				return s.Delete(ctx, key)
			}
		}},
		{"a prefix is not deleted", "prefixes", false, func(m *broken, s acme.Storage) {
			m.remove = func(ctx context.Context, key string) error {
				if info, err := s.Stat(ctx, key); err != nil || !info.IsTerminal {
					return nil
				}
				return s.Delete(ctx, key)
			}
		}},
		{"a prefix deletes its neighbours", "prefixes", false, func(m *broken, s acme.Storage) {
			m.remove = func(ctx context.Context, key string) error {
				all, _ := s.List(ctx, "", true)
				for _, k := range all {
					if strings.HasPrefix(k, key) {
						_ = s.Delete(ctx, k)
					}
				}
				return nil
			}
		}},
		{"values are shared", "values are copies", false, func(m *broken, _ acme.Storage) {
			var shared sync.Map
			m.store = func(_ context.Context, key string, value []byte) error { shared.Store(key, value); return nil }
			m.load = func(_ context.Context, key string) ([]byte, error) {
				value, _ := shared.Load(key)
				text, _ := value.([]byte)
				return text, nil
			}
		}},
		{"values have a limit", "large values", false, func(m *broken, s acme.Storage) {
			m.store = func(ctx context.Context, key string, value []byte) error {
				return s.Store(ctx, key, value[:min(len(value), 512<<10)])
			}
		}},
		{"values are text", "any bytes", false, func(m *broken, s acme.Storage) {
			m.store = func(ctx context.Context, key string, value []byte) error {
				return s.Store(ctx, key, bytes.TrimRight(bytes.ToValidUTF8(value, nil), "\x00"))
			}
		}},
		{"keys are cut", "keys of certificates", false, func(m *broken, s acme.Storage) {
			m.store = func(ctx context.Context, key string, value []byte) error {
				return s.Store(ctx, key[:min(len(key), 128)], value)
			}
		}},
		{"a node is late", "seen at once", true, late},
		{"a node is late with tokens", "challenge tokens", true, late},
		{"a list is always recursive", "list", false, func(m *broken, s acme.Storage) {
			m.list = func(ctx context.Context, prefix string, _ bool) ([]string, error) { return s.List(ctx, prefix, true) }
		}},
		{"a list is never recursive", "list", false, func(m *broken, s acme.Storage) {
			m.list = func(ctx context.Context, prefix string, _ bool) ([]string, error) { return s.List(ctx, prefix, false) }
		}},
		{"a list has keys without their prefix", "list", false, func(m *broken, s acme.Storage) {
			m.list = func(ctx context.Context, prefix string, recursive bool) ([]string, error) {
				all, err := s.List(ctx, prefix, recursive)
				for i := range all {
					all[i] = strings.TrimPrefix(all[i], prefix+"/")
				}
				return all, err
			}
		}},
	}
}

// late is a node that writes when it is asked for the next thing.
func late(m *broken, s acme.Storage) {
	var pending atomic.Pointer[func()]
	flush := func() {
		if do := pending.Swap(nil); do != nil {
			(*do)()
		}
	}
	m.store = func(ctx context.Context, key string, value []byte) error {
		flush()
		do := func() { _ = s.Store(ctx, key, bytes.Clone(value)) }
		pending.Store(&do)
		return nil
	}
	m.load = func(ctx context.Context, key string) ([]byte, error) {
		got, err := s.Load(ctx, key)
		flush()
		return got, err
	}
}

const errLost = lost("connection lost")

type lost string

func (e lost) Error() string { return string(e) }
