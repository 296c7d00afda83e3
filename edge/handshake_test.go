package edge

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

const acmeALPN = "acme-tls/1" // RFC 8737 §6.2

// ledger is a log that tests can read while it is written.
type ledger struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *ledger) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// certified starts a server with TLS, on a listener of each kind, that answers
// TLS-ALPN-01 with a certificate of its own. It returns the addresses, a client that
// trusts the server, and the log, of what matters more than debugging.
func certified(t *testing.T, set func(*Listener)) (r *rig, plain, implicit string, client *tls.Config, log *ledger) {
	t.Helper()
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	proof, _, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	proof.NextProtos = []string{acmeALPN}
	server.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Equal(hello.SupportedProtos, []string{acmeALPN}) {
			return proof, nil
		}
		return nil, nil
	}
	log = new(ledger)
	r = start(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(log, nil))
		l := Listener{Name: "explicit", Address: "127.0.0.1:0", TLS: server}
		if set != nil {
			set(&l)
		}
		c.Listeners = []Listener{l, l}
		c.Listeners[1].Name, c.Listeners[1].Implicit = "implicit", true
	})
	addrs := r.srv.Addresses()
	return r, addrs[0].String(), addrs[1].String(), client, log
}

// proves does the handshake of an authority (RFC 8737 §3) on conn, and reads to the
// end, where nothing may come but close_notify.
func proves(t *testing.T, conn net.Conn, version uint16) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(userpi.Timeout))
	tc := tls.Client(conn, &tls.Config{ServerName: userpi.ServerName, NextProtos: []string{acmeALPN}, InsecureSkipVerify: true,
		MinVersion: version, MaxVersion: version})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := tc.ConnectionState().NegotiatedProtocol; got != acmeALPN {
		t.Errorf("the protocol is %q", got)
	}
	if got, err := io.ReadAll(tc); err != nil || len(got) > 0 { // without close_notify: io.ErrUnexpectedEOF
		t.Errorf("behind the handshake: %q, %v", got, err)
	}
}

// kinds are the kinds of events so far.
func (k *keeper) kinds() []policy.EventKind {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []policy.EventKind
	for _, e := range k.events {
		out = append(out, e.Kind)
	}
	return out
}

// TestChallengeOnListeners: an authority that comes to a listener of ours gets its
// handshake and no word, and nobody is told of a session that was none.
func TestChallengeOnListeners(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, ready := range []bool{true, false} {
			r, _, implicit, _, log := certified(t, func(l *Listener) { l.Ready = func() bool { return ready } })
			for range 3 {
				conn, err := net.Dial("tcp", implicit)
				r.must(err)
				proves(t, conn, version)
				_ = conn.Close()
			}
			r.stop()
			if got := r.keeper.kinds(); len(got) > 0 {
				t.Errorf("%s, ready %v: the events %v", tls.VersionName(version), ready, got)
			}
			if log.String() != "" {
				t.Errorf("the log says %s", log)
			}
		}
	}
}

// TestChallengeBehindAUTH: on an explicit listener the connection was one of a client
// until then, so that its end is told.
func TestChallengeBehindAUTH(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		r, plain, _, _, log := certified(t, nil)
		c, err := userpi.Dial(plain)
		r.must(err)
		r.expect(c, "greeting", 220)
		r.do(c, "AUTH TLS", 234)
		proves(t, c.Raw(), version)
		_ = c.Close()
		r.stop()
		if got := r.keeper.kinds(); !slices.Equal(got, []policy.EventKind{policy.EventConnect, policy.EventCommandDone, policy.EventDisconnect}) {
			t.Errorf("the events %v", got)
		}
		if log.String() != "" {
			t.Errorf("the log says %s", log)
		}
	}
}

// TestReady: before there is a certificate AUTH says so, and an implicit connection
// ends without a word; from the moment on that there is one, all is well.
func TestReady(t *testing.T) {
	var ready atomic.Bool
	r, plain, implicit, client, log := certified(t, func(l *Listener) { l.Ready = ready.Load })
	c, err := userpi.Dial(plain)
	r.must(err)
	t.Cleanup(func() { _ = c.Close() })
	r.expect(c, "greeting", 220)
	r.do(c, "AUTH TLS", 431)
	r.do(c, "NOOP", 200)
	if early, err := tls.Dial("tcp", implicit, client); err == nil {
		_ = early.Close()
		t.Error("the implicit listener shakes hands")
	}
	quiet, err := net.Dial("tcp", implicit)
	r.must(err)
	_ = quiet.SetDeadline(time.Now().Add(userpi.Timeout))
	_, err = io.WriteString(quiet, "USER dev\r\n")
	r.must(err)
	if got, err := io.ReadAll(quiet); bytes.Contains(got, []byte("220")) {
		t.Errorf("in the clear: %q, %v", got, err)
	}
	_ = quiet.Close()
	ready.Store(true)
	r.do(c, "AUTH TLS", 234)
	r.must(c.StartTLS(client))
	r.must(c.Identify("dev", "secret"))
	late, err := tls.Dial("tcp", implicit, client)
	r.must(err)
	greeted := userpi.New(late)
	r.expect(greeted, "greeting", 220)
	_ = greeted.Close()
	_ = c.Close()
	r.stop()
	if bytes.Contains([]byte(log.String()), []byte("no certificate")) {
		t.Errorf("the log says %s", log)
	}
	if slices.Contains(r.keeper.kinds(), policy.EventLoginFailed) {
		t.Error("there is a failed login")
	}
}

// TestHostOverTLS: HOST chooses the certificate of control and data connections of a
// client that names no server, on the wire.
func TestHostOverTLS(t *testing.T) {
	one, trusts, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 16)
	r := start(t, func(c *Config) {
		c.Listeners[0].TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			asked <- hello.ServerName
			if hello.ServerName == "a.example.org" || hello.ServerName == "::1" {
				return &one.Certificates[0], nil
			}
			return &other.Certificates[0], nil
		}}
	})
	defer r.stop()
	r.must(r.fs.WriteFile("/file", []byte("hello")))
	nameless := trusts.Clone()
	nameless.ServerName = "127.0.0.1" // an address is not sent; the other certificate is not trusted
	for host, name := range map[string]string{"A.example.org": "a.example.org", "[::1]": "::1"} {
		c := r.dial()
		r.expect(c, "greeting", 220)
		r.do(c, "HOST "+host, 220)
		r.do(c, "AUTH TLS", 234)
		r.must(c.StartTLS(nameless))
		if got := <-asked; got != name {
			t.Errorf("HOST %s asks for %q", host, got)
		}
		r.must(c.Identify("dev", "secret"))
		r.must(c.Private())
		for range 2 {
			conn, err := c.Begin(userpi.EPSV, "RETR /file")
			r.must(err)
			if got, err := io.ReadAll(conn); err != nil || string(got) != "hello" {
				t.Errorf("HOST %s: %q, %v", host, got, err)
			}
			_ = conn.Close()
			r.expect(c, "RETR", 226)
		}
		_ = c.Close()
	}
	c := r.dial()
	r.expect(c, "greeting", 220)
	r.do(c, "AUTH TLS", 234)
	if err := c.StartTLS(nameless); err == nil {
		t.Error("without HOST the certificate is the same")
	}
	_ = c.Close()
}

// TestRenewalOnTheWire: a session transfers on, ten times over each version of TLS,
// when the listener's certificate changes under it.
func TestRenewalOnTheWire(t *testing.T) {
	first, trusts, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			var current atomic.Pointer[tls.Certificate]
			current.Store(&first.Certificates[0])
			r := start(t, func(c *Config) {
				c.Listeners[0].TLS = &tls.Config{MinVersion: version, MaxVersion: version,
					GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil }}
			})
			defer r.stop()
			r.must(r.fs.WriteFile("/file", []byte("hello")))
			c := r.dial()
			r.expect(c, "greeting", 220)
			r.do(c, "AUTH TLS", 234)
			r.must(c.StartTLS(trusts))
			r.must(c.Identify("dev", "secret"))
			r.must(c.Private())
			for i := range 10 {
				conn, err := c.Begin(userpi.EPSV, "RETR /file")
				r.must(err)
				if i == 5 {
					current.Store(&second.Certificates[0]) // while one runs
				}
				got, err := io.ReadAll(conn)
				if err != nil || string(got) != "hello" {
					t.Errorf("transfer %d: %q, %v", i, got, err)
				}
				_ = conn.Close()
				r.expect(c, "RETR", 226)
			}
			r.do(c, "NOOP", 200)
			fresh := r.dial()
			r.expect(fresh, "greeting", 220)
			r.do(fresh, "AUTH TLS", 234)
			if err := fresh.StartTLS(trusts); err == nil {
				t.Error("a new connection gets the old certificate")
			}
			_ = fresh.Close()
			_ = c.Close()
		})
	}
}
