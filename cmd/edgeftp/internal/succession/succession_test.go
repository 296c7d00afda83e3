//go:build unix

package succession

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/kv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is two ends of a connection.
func pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err = net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = l.AcceptUnix(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// server is a predecessor with one socket and a store.
type server struct {
	listener *net.TCPListener
	store    *kv.Store
	refuses  error // Offer
	keeps    error // Yield
	resumed  chan error
	left     chan struct{}
	yielded  atomic.Bool
}

func newServer(t *testing.T, path string) *server {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s, err := kv.Open(path, kv.Options{FlushEvery: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &server{listener: l, store: s, resumed: make(chan error, 1), left: make(chan struct{})}
}

func (s *server) Offer() (Offer, error) {
	if s.refuses != nil {
		return Offer{}, s.refuses
	}
	f, err := s.listener.File()
	return Offer{Hello: Hello{Version: "old", PID: 1}, Sockets: []Socket{{Listener: "main", Address: ":21", File: f}}}, err
}

func (s *server) Yield(ctx context.Context, heir kv.Heir) (uint64, error) {
	if s.keeps != nil {
		return 0, s.keeps
	}
	s.yielded.Store(true)
	return 42, s.store.HandOver(ctx, heir)
}

func (s *server) Resume(why error) {
	s.resumed <- errors.Join(why, s.store.TakeBack(context.Background()))
}
func (s *server) Leave() { close(s.left) }

// giving runs Give.
func giving(t *testing.T, conn *net.UnixConn, p Predecessor, within times) <-chan error {
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { done <- give(ctx, conn, p, within) }()
	return done
}

func usual() times { return times{10 * time.Second, 10 * time.Second, 10 * time.Second} }

func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came to an end in time")
		panic("unreachable")
	}
}

// TestSuccession has two successors in a row, of which each accepts at the same address,
// and all of which count in one counter.
func TestSuccession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	old := newServer(t, path)
	stores := []*kv.Store{old.store}
	var following []<-chan error
	for range 2 {
		mine, theirs := pair(t)
		given := giving(t, theirs, old, usual())
		s, o, err := Ask(t.Context(), mine, "new")
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Sockets) != 1 || o.Sockets[0].Listener != "main" || o.Sockets[0].Address != ":21" || o.Version != "old" {
			t.Fatalf("the offer is %+v", o)
		}
		nl, err := net.FileListener(o.Sockets[0].File)
		if err != nil {
			t.Fatal(err)
		}
		_ = o.Sockets[0].File.Close()
		client, err := net.Dial("tcp", old.listener.Addr().String()) // before either accepts
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.Release(t.Context()); err != nil || n != 42 {
			t.Fatal(err)
		}
		_ = old.listener.Close()
		next := newServer(t, path)
		_ = next.listener.Close()
		next.listener = nl.(*net.TCPListener)
		if err := s.Serving(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := await(t, given); err != nil {
			t.Fatal(err)
		}
		await(t, old.left)
		accepted, err := nl.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = accepted.Close(), client.Close()
		ended := make(chan error, 1)
		go func() { ended <- s.Follow(context.Background(), next.store.Take) }()
		following, stores, old = append(following, ended), append(stores, next.store), next
	}
	for _, s := range stores {
		p, err := s.Space("a", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Incr("n", 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 { // the oldest first
		if err := stores[i].Close(); err != nil {
			t.Error(err)
		}
	}
	p, _ := stores[2].Space("a", 0)
	if v, ok := p.Get("n"); !ok || v[0] != 3 {
		t.Errorf("three have counted, the last one has %v", v)
	}
	for _, f := range following {
		select {
		case err := <-f:
			t.Errorf("a predecessor was not followed to its end: %v", err)
		default:
		}
	}
}

// TestFails has successors that do not come to serve: the predecessor goes on with all it
// has, and says what was wrong.
func TestFails(t *testing.T) {
	wrong := errors.New("the policy does not compile")
	for name, c := range map[string]struct {
		within times
		do     func(t *testing.T, s *Successor)
		resume bool
		want   string
	}{
		"before it wants the state": {usual(), func(_ *testing.T, s *Successor) { s.Fail(wrong) }, false, wrong.Error()},
		"dies early":                {usual(), func(_ *testing.T, s *Successor) { _ = s.conn.Close() }, false, "EOF"},
		"with the state": {usual(), func(t *testing.T, s *Successor) {
			if n, err := s.Release(t.Context()); err != nil || n != 42 {
				t.Error(err)
			}
			s.Fail(wrong)
		}, true, wrong.Error()},
		"dies with the state": {usual(), func(t *testing.T, s *Successor) {
			if n, err := s.Release(t.Context()); err != nil || n != 42 {
				t.Error(err)
			}
			_ = s.conn.Close()
		}, true, "EOF"},
		"too slow": {times{10 * time.Second, 50 * time.Millisecond, time.Second}, func(t *testing.T, s *Successor) {
			if n, err := s.Release(t.Context()); err != nil || n != 42 {
				t.Error(err)
			}
			<-time.After(200 * time.Millisecond)
			if err := s.Serving(t.Context()); !errors.Is(err, ErrAborted) {
				t.Errorf("a successor that is too slow is told %v", err)
			}
		}, true, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			old := newServer(t, filepath.Join(t.TempDir(), "state.db"))
			mine, theirs := pair(t)
			given := giving(t, theirs, old, c.within)
			s, o, err := Ask(t.Context(), mine, "new")
			if err != nil {
				t.Fatal(err)
			}
			closeFiles([]*os.File{o.Sockets[0].File})
			c.do(t, s)
			if err := await(t, given); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the predecessor says %v, want %q", err, c.want)
			}
			if c.resume {
				if err := await(t, old.resumed); err == nil {
					t.Error("it resumes without a reason")
				}
			} else if old.yielded.Load() {
				t.Error("it has given up its state")
			}
			select {
			case <-old.left:
				t.Error("it leaves")
			default:
			}
			p, _ := old.store.Space("a", 0)
			if err := errors.Join(p.Set("k", []byte("v"), 0), old.store.Sync(t.Context())); err != nil {
				t.Errorf("what it remembers is not written any more: %v", err)
			}
		})
	}
}

// TestRefusals has predecessors that do not want to, or cannot.
func TestRefusals(t *testing.T) {
	busy := errors.New("it is draining")
	for name, c := range map[string]struct {
		refuses, keeps error
	}{"offer": {refuses: busy}, "yield": {keeps: busy}} {
		t.Run(name, func(t *testing.T) {
			old := newServer(t, filepath.Join(t.TempDir(), "state.db"))
			old.refuses, old.keeps = c.refuses, c.keeps
			mine, theirs := pair(t)
			given := giving(t, theirs, old, usual())
			s, o, err := Ask(t.Context(), mine, "new")
			if err == nil {
				closeFiles([]*os.File{o.Sockets[0].File})
				_, err = s.Release(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), busy.Error()) {
				t.Errorf("the successor is told %v", err)
			}
			if err := await(t, given); !errors.Is(err, busy) {
				t.Errorf("the predecessor says %v", err)
			}
		})
	}
}

// TestPredecessorDies has it die when the successor says that it serves.
func TestPredecessorDies(t *testing.T) {
	mine, theirs := pair(t)
	s := &Successor{mine}
	_ = theirs.Close()
	if err := s.Serving(t.Context()); err != nil {
		t.Errorf("nobody else serves, and the successor is told %v", err)
	}
	if err := s.Follow(t.Context(), func([]kv.Change) error { return nil }); err != nil {
		t.Errorf("a predecessor that is gone is followed: %v", err)
	}
}

// TestOtherProtocol has a program that speaks another one.
func TestOtherProtocol(t *testing.T) {
	mine, theirs := pair(t)
	given := giving(t, theirs, newServer(t, filepath.Join(t.TempDir(), "state.db")), usual())
	if err := send(mine, &message{Word: wordHello, Hello: &Hello{Protocol: Protocol + 1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := expect(mine, wordOffer); !told(err, wordRefused) {
		t.Errorf("it is told %v", err)
	}
	if err := await(t, given); err == nil {
		t.Error("it was taken")
	}
}

// FuzzReceive holds whatever comes to an error or a message, and leaks no descriptor.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x11\x00\x00\x00\x00{\"word\":\"served\"}"))
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x00\x01{}"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		mine, theirs := pair(t)
		go func() {
			_, _ = mine.Write(data)
			_ = mine.CloseWrite()
		}()
		m, err := receive(theirs)
		if (m == nil) != (err != nil) {
			t.Errorf("a message of %v with %v", m, err)
		}
		_, _ = theirs.Close(), mine.Close()
	})
}
