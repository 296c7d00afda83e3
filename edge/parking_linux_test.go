package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// drowsy has sessions parked as soon as nothing waits to be read.
func drowsy(c *Config) {
	c.Timeouts.Awake = time.Nanosecond
	c.Limits.SessionsPerIP = -1
}

// parked returns how many sessions are.
func (r *rig) parked() int {
	r.srv.mu.Lock()
	lot := r.srv.lot
	r.srv.mu.Unlock()
	if lot == nil {
		return 0
	}
	return lot.Len()
}

// park waits until n sessions are parked.
func (r *rig) park(n int) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d sessions are parked", n), func() bool { return r.parked() == n })
}

// session returns the only session.
func (r *rig) session() *pi.Session {
	r.t.Helper()
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	for _, s := range r.srv.sessions {
		return s
	}
	r.t.Fatal("there is no session")
	return nil
}

// tlsConfigs makes a pair of configurations and gives the server's to the first listener.
func tlsConfigs(t *testing.T) (set func(*Config), client *tls.Config) {
	t.Helper()
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { drowsy(c); c.Listeners[0].TLS = server }, client
}

// Commands come in pieces that are cut anywhere, and over TLS in records that are, while
// their session is parked time and again: each is answered once, in order.
func TestParkedPieces(t *testing.T) {
	set, conf := tlsConfigs(t)
	for _, protected := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", protected), func(t *testing.T) {
			r := start(t, set)
			defer r.stop()
			var clients sync.WaitGroup
			for i := range 40 {
				conn, err := net.Dial("tcp", r.addr)
				r.must(err)
				c := userpi.New(&ragged{conn, rand.New(rand.NewPCG(uint64(i), 8))})
				c.Timeout = userpi.Timeout
				t.Cleanup(func() { _ = c.Close() })
				r.expect(c, "the connection", 220)
				if protected {
					r.must(c.Protect(conf))
				}
				r.must(c.Identify("dev", "secret"))
				r.do(c, "TYPE I", 200)
				clients.Go(func() { pieces(t, c, uint64(i)) })
			}
			clients.Wait()
			r.park(40)
		})
	}
}

// pieces sends numbered commands in pieces, and holds the replies against the numbers.
func pieces(t *testing.T, c *userpi.Client, seed uint64) {
	const commands = 60
	var all strings.Builder
	for i := range commands {
		fmt.Fprintf(&all, "REST %d\r\n", i)
	}
	sent := make(chan error, 1)
	go func() {
		rnd := rand.New(rand.NewPCG(seed, 9))
		for text := all.String(); text != ""; {
			n := min(len(text), 1+rnd.IntN(30))
			if _, err := io.WriteString(c.Conn(), text[:n]); err != nil {
				sent <- err
				return
			}
			text = text[n:]
			<-time.After(time.Duration(rnd.IntN(1500)) * time.Microsecond)
		}
		sent <- nil
	}()
	for i := range commands {
		reply, err := c.Expect("REST", 350)
		if want := fmt.Sprintf("byte %d.", i); err != nil || !strings.HasSuffix(reply.String(), want) {
			t.Errorf("the reply is %v, %v; it should end in %q", reply, err, want)
			return
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// ragged is a connection whose writes arrive in two pieces.
type ragged struct {
	net.Conn
	rnd *rand.Rand
}

func (r *ragged) Write(b []byte) (int, error) {
	cut := r.rnd.IntN(len(b) + 1)
	n, err := r.Conn.Write(b[:cut])
	if err != nil {
		return n, err
	}
	<-time.After(time.Duration(r.rnd.IntN(1000)) * time.Microsecond)
	m, err := r.Conn.Write(b[cut:])
	return n + m, err
}

// A parked session has no goroutine, and counts as a session all the same.
func TestParkedCounts(t *testing.T) {
	const n = 200
	r := start(t, func(c *Config) { drowsy(c); c.Limits.Sessions = n })
	defer r.stop()
	before := runtime.NumGoroutine()
	clients := make([]*userpi.Client, n)
	for i := range clients {
		clients[i] = r.login()
	}
	r.park(n)
	r.until("the goroutines are gone", func() bool { return runtime.NumGoroutine() < before+10 })
	if st := r.srv.Status(); st.Sessions != n {
		t.Errorf("%d sessions", st.Sessions)
	}
	c, err := userpi.Dial(r.addr)
	r.must(err)
	r.expect(c, "one too many", 421)
	r.must(c.Close())
	r.must(clients[0].Close())
	r.park(n - 1)
	r.until("there is room", func() bool { return r.srv.Status().Sessions < n })
	r.login()
	for _, c := range clients[1:] {
		r.do(c, "PWD", 257)
	}
}

// Whatever ends a parked connection ends its session at once, and nothing is left of it.
func TestParkedEnds(t *testing.T) {
	set, conf := tlsConfigs(t)
	for name, end := range map[string]func(r *rig, c *userpi.Client){
		"closed": func(r *rig, c *userpi.Client) { r.must(c.Close()) },
		"reset": func(r *rig, c *userpi.Client) {
			r.must(c.Raw().(*net.TCPConn).SetLinger(0))
			r.must(c.Close())
		},
		"half closed": func(r *rig, c *userpi.Client) { r.must(c.Raw().(*net.TCPConn).CloseWrite()) },
		"killed":      func(r *rig, c *userpi.Client) { r.srv.kill(r.session()); r.must(c.Closed()) },
		"QUIT":        func(r *rig, c *userpi.Client) { r.do(c, "QUIT", 221) },
	} {
		for _, protected := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, protected), func(t *testing.T) {
				r := start(t, set)
				defer r.stop()
				c := r.dial()
				r.expect(c, "the connection", 220)
				if protected {
					r.must(c.Protect(conf))
				}
				r.must(c.Identify("dev", "secret"))
				r.park(1)
				sess := r.session()
				end(r, c)
				r.free()
				if err := sess.Socket().(*net.TCPConn).SetNoDelay(true); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the descriptor is open: %v", err)
				}
				if r.parked() > 0 || r.srv.Status().Sessions > 0 {
					t.Errorf("%d are parked, of %d sessions", r.parked(), r.srv.Status().Sessions)
				}
			})
		}
	}
}

// Kill meets a session that goes to sleep and wakes up.
func TestKillRace(t *testing.T) {
	r := start(t, drowsy)
	defer r.stop()
	for range 100 {
		c := r.login()
		sess := r.session()
		go func() { _, _ = c.Write([]byte("NOOP\r\nNO")) }()
		for range rand.IntN(2000) {
			runtime.Gosched()
		}
		r.srv.kill(sess)
		r.free()
		r.until("it is forgotten", func() bool { return r.srv.Status().Sessions == 0 })
	}
}

// The end of the server finds parked sessions: they are told, and nobody is left.
func TestParkedShutdown(t *testing.T) {
	for name, shut := range map[string]func(r *rig){
		"Shutdown": func(r *rig) { r.must(r.srv.Shutdown(context.Background())) },
		"Shutdown at once": func(r *rig) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			r.must(r.srv.Shutdown(ctx))
		},
		"the end of Serve's context": func(r *rig) { r.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, drowsy)
			defer r.cancel()
			var clients []*userpi.Client
			for range 50 {
				clients = append(clients, r.login())
			}
			early := r.dial() // before the login
			r.expect(early, "the connection", 220)
			r.park(51)
			shut(r)
			for _, c := range append(clients, early) {
				r.expect(c, "the end", 421)
				r.must(c.Closed())
			}
			r.must(<-r.served)
			r.free()
		})
	}
}

// The limits hold for sessions that are parked, and not before their time.
func TestParkedLimits(t *testing.T) {
	const limit, never = 1700 * time.Millisecond, time.Hour
	held := func(t *testing.T, what string, from time.Time) { // since before the server's clock began
		if took := time.Since(from); took < limit {
			t.Errorf("%s: over after %v", what, took)
		}
	}
	t.Run("login and port", func(t *testing.T) {
		t.Parallel()
		r := start(t, func(c *Config) {
			drowsy(c)
			c.Timeouts.Idle, c.Timeouts.Login, c.Listeners[0].Passive.Wait = never, limit, limit
		})
		defer r.stop()
		began := time.Now()
		silent := r.dial()
		r.expect(silent, "the connection", 220)
		c := r.login()
		prepared := time.Now()
		port, err := c.Prepare(userpi.EPSV)
		r.must(err)
		r.park(2)
		r.expect(silent, "the login limit", 421)
		held(t, "login", began)
		r.until("the port is closed", func() bool {
			conn, err := port.Open()
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		})
		held(t, "port", prepared)
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		r := start(t, func(c *Config) { drowsy(c); c.Timeouts.Idle, c.Timeouts.Login = limit, never })
		defer r.stop()
		began := time.Now()
		idle := r.login()
		r.park(1)
		r.expect(idle, "the idle limit", 421)
		held(t, "idle", began)
	})
}

// A panic in the goroutine that a parked session has woken ends that session alone.
func TestParkedPanic(t *testing.T) {
	table := pi.Standard().With(pi.Spec{Verb: "BOOM", Handler: func(*pi.Session, pi.Args) pi.Outcome { panic("boom") }})
	r := start(t, func(c *Config) { drowsy(c); c.Commands = table })
	defer r.stop()
	c, other := r.login(), r.login()
	r.park(2)
	r.must(c.Send("BOOM"))
	r.must(c.Closed())
	r.until("the session is gone", func() bool { return r.srv.Status().Sessions == 1 })
	if n := r.srv.Status().Panics; n != 1 {
		t.Errorf("%d panics", n)
	}
	r.park(1)
	r.do(other, "PWD", 257)
}

// What a session has prepared and remembers is there when it wakes up.
func TestParkedMemory(t *testing.T) {
	r := start(t, drowsy)
	defer r.stop()
	c := r.login()
	r.must(r.fs.WriteFile("/a", []byte("0123456789")))
	for _, line := range []string{"CLNT tester 1", "MKD d", "CWD d", "OPTS MLST size;", "RNFR /a"} {
		r.park(1)
		r.do(c, line, 200, 250, 257, 350)
	}
	r.park(1)
	r.do(c, "RNTO b", 250)
	r.park(1)
	port, err := c.Prepare(userpi.EPSV)
	r.must(err)
	r.park(1)
	r.do(c, "REST 4", 350)
	r.park(1)
	conn, err := port.Open()
	r.must(err)
	r.do(c, "RETR b", 125, 150)
	got, err := io.ReadAll(conn)
	r.must(err)
	r.expect(c, "RETR", 226)
	if string(got) != "456789" {
		t.Errorf("received %q", got)
	}
	r.park(1)
	if reply := r.do(c, "MLST b", 250); !strings.Contains(reply.String(), "size=10; /d/b") || strings.Contains(reply.String(), "type") {
		t.Errorf("MLST: %v", reply)
	}
	r.until("the observers are told", func() bool {
		r.keeper.mu.Lock()
		defer r.keeper.mu.Unlock()
		last := r.keeper.events[len(r.keeper.events)-1]
		s := last.Session
		return last.Text == "MLST b" && s.User == "dev" && s.Client == "tester 1" && s.Listener == "main" && s.Peer.IsValid() && s.Local.IsValid() && !s.ASCII
	})
}

// Nothing is parked where that is not wanted.
func TestNeverParked(t *testing.T) {
	r := start(t, func(c *Config) { c.Timeouts.Awake = -1 })
	defer r.stop()
	r.do(r.login(), "NOOP", 200)
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	if r.srv.lot != nil {
		t.Error("there is a lot")
	}
}

// Where many are awake, the next ones are parked sooner.
func TestCrowd(t *testing.T) {
	const awake = 3 * time.Second
	r := start(t, func(c *Config) { drowsy(c); c.Timeouts.Awake = awake })
	defer r.stop()
	began := time.Now()
	for range crowd + 20 {
		conn, err := net.Dial("tcp", r.addr)
		r.must(err)
		defer conn.Close()
	}
	r.until("some are parked", func() bool { return r.parked() > 0 })
	if took := time.Since(began); took > awake {
		t.Errorf("they were awake for %v", took)
	}
}

// A session that is told to end after it has left Step and before it is parked is not left
// there: nobody else would wake it before its limits.
func TestDismissedOnTheWayToRest(t *testing.T) {
	r := start(t, func(c *Config) { c.Timeouts.Awake = time.Second })
	defer r.stop()
	c := r.login()
	kept := r.srv.now.Load().shared.Standings.(*standings)
	for { // until it is held where it rests, and not in the lot
		r.do(c, "NOOP", 200)
		kept.mu.Lock()
		if r.parked() == 0 {
			break
		}
		kept.mu.Unlock()
	}
	sess := r.session()
	r.until("it is on its way", func() bool { return sess.Seen().Parked })
	told := r.srv.sendOff(sess, "enough")
	kept.mu.Unlock()
	if !told {
		t.Fatal("there was no session")
	}
	reply, err := c.Expect("the end", 421)
	r.must(err)
	if !strings.Contains(reply.Text(), "enough") {
		t.Errorf("the reason is not told: %v", reply)
	}
	r.free()
}
