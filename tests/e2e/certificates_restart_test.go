package e2e

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// gate stands before a server's challenge listener and lets nobody through until it is
// opened: the authority then looks for as long as the test wants.
type gate struct {
	listener net.Listener
	came     chan struct{} // closed when the first one is there
	opened   chan struct{}
	once     sync.Once
	running  sync.WaitGroup
}

// newGate listens on an address until the test ends, before the one that is to.
func newGate(t *testing.T, addr, to string) *gate {
	t.Helper()
	g := &gate{listener: must(net.Listen("tcp", addr))(t), came: make(chan struct{}), opened: make(chan struct{})}
	ended := make(chan struct{})
	g.running.Go(func() {
		var first sync.Once
		for {
			conn, err := g.listener.Accept()
			if err != nil {
				return
			}
			first.Do(func() { close(g.came) })
			g.running.Go(func() {
				defer conn.Close()
				select {
				case <-g.opened:
					pass(conn, to)
				case <-ended:
				}
			})
		}
	})
	t.Cleanup(func() {
		g.listener.Close()
		close(ended)
		g.running.Wait()
	})
	return g
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

// pass hands a connection on until both sides have ended, or a while is over.
func pass(conn net.Conn, to string) {
	server, err := net.DialTimeout("tcp", to, waitWithin)
	if err != nil {
		return
	}
	defer server.Close()
	for _, c := range []net.Conn{conn, server} {
		_ = c.SetDeadline(time.Now().Add(waitWithin))
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{conn, server}, {server, conn}} {
		both.Go(func() {
			_, _ = way[0].(*net.TCPConn).WriteTo(way[1])
			_ = way[1].(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
}

// A server that ends in the middle of an order, by a kill or in good order, makes one
// more at its next start, and leaves nothing behind.
func TestCertificateRestartInOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what  string
		fleet bool
		end   func(*server, *testing.T)
		locks int // that the next server finds, and waits for
	}{
		{"killed", false, func(s *server, _ *testing.T) { s.kill() }, 1},
		{"killed, in a fleet", true, func(s *server, _ *testing.T) { s.kill() }, 1},
		{"stopped", false, (*server).stop, 0},
		{"stopped, in a fleet", true, (*server).stop, 0},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			ca, p, http := authorities.Start(t, authorities.Options{}), newPlace(t), ports.Addr(t)
			g := newGate(t, ca.HTTPAddr(), http)
			lines := []string{"domains: [" + certName + "]", "challenges: [http-01]", fmt.Sprintf("http: { listen: [%q] }", http)}
			storage := p.certificates()
			if tt.fleet {
				storage = p.out("shared")
				lines = append(lines, "fleet: true", fmt.Sprintf("storage: %q", storage))
			}
			conf := p.certified(t, ca, certListeners, lines...)
			s := p.serve(t, conf)
			select {
			case <-g.came:
			case <-time.After(certWithin):
				t.Fatal("the authority has not come")
			}
			if n := len(stored(t, storage, "challenge_tokens")); tt.fleet != (n == 1) {
				t.Errorf("%d tokens in the storage while the order is pending", n)
			}
			tt.end(s, t)
			shut(t, http)
			if left := stored(t, storage, ".lock"); len(left) != tt.locks {
				t.Errorf("locks are left: %q, want %d", left, tt.locks)
			}
			g.open()
			began := time.Now()
			s = p.serve(t, conf)
			s.verified(t, ca, certName)
			t.Logf("%s while the authority validates: %s from the restart to the first verified handshake", tt.what, seconds(time.Since(began)))
			if n := ca.Orders(); n != 2 {
				t.Errorf("%d orders, want one of each process", n)
			}
			if n := ca.Count(authorities.NewAccount); n != 1 {
				t.Errorf("%d accounts, want 1", n)
			}
			until(t, "no challenge is left in the storage", func() bool { return len(stored(t, storage, "challenge_tokens")) == 0 })
			if !tt.fleet { // whose listeners stay
				shut(t, http)
			}
			s.stop(t)
			shut(t, http)
			if left := stored(t, storage, ".lock"); len(left) > 0 {
				t.Errorf("locks are left: %q", left)
			}
		})
	}
}

// A server that is killed before the certificate is fetched orders it once more; with
// the certificate in its storage it orders nothing.
func TestCertificateRestartBehindOrder(t *testing.T) {
	t.Parallel()
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	conf := p.byHTTP(t, ca)
	ca.Slow(time.Minute, authorities.Certificate)
	s := p.serve(t, conf)
	until(t, "the certificate is asked for", func() bool { return ca.Count(authorities.Certificate) == 1 })
	s.kill()
	shut(t, ca.HTTPAddr())
	ca.Resume()
	began := time.Now()
	s = p.serve(t, conf)
	first := s.verified(t, ca, certName)
	t.Logf("killed before the certificate is fetched: %s from the restart to the first verified handshake", seconds(time.Since(began)))
	if n := ca.Orders(); n != 2 {
		t.Errorf("%d orders, want one of each process", n)
	}
	s.kill()
	asked := len(ca.Requests())
	s = p.serve(t, conf)
	again, err := shake(s.addr, trusting(ca, certName))
	ok(t, err)
	if !again.Equal(first) {
		t.Errorf("another certificate after a restart: serial %x, was %x", again.SerialNumber, first.SerialNumber)
	}
	if n := len(ca.Requests()); n != asked {
		t.Errorf("the authority was asked %d times for nothing", n-asked)
	}
	s.stop(t)
}
