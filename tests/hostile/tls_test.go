package hostile

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func deadline() time.Time { return time.Now().Add(2 * userpi.Timeout) }

// implicit adds a listener whose connections begin with TLS.
func implicit(s *setup) {
	s.Listeners = append(s.Listeners, s.Listeners[0])
	s.Listeners[1].Name, s.Listeners[1].Implicit = "implicit", true
}

// pending gives back connections that wait for a handshake: behind AUTH, and of an
// implicit listener.
func (r *rig) pending() []net.Conn {
	r.Helper()
	c := r.meet()
	r.do(c, "AUTH TLS", 234)
	return []net.Conn{c.Raw(), r.dial(r.addrs[1])}
}

// ends reads until the server closes a connection; false if it does not within the
// time.
func ends(c net.Conn, within time.Duration) (said []byte, ended bool) {
	_ = c.SetReadDeadline(time.Now().Add(within))
	said, err := io.ReadAll(c)
	var late net.Error
	return said, !errors.As(err, &late) || !late.Timeout()
}

// stalled begins handshakes and does not go on, or hardly; each has ten seconds.
func stalled(t *testing.T) {
	r := serve(t, implicit)
	hello := clientHello(t)
	var waiting []net.Conn
	for i := range 100 {
		for _, conn := range r.pending() {
			_, _ = conn.Write(hello[:i*len(hello)/100])
			if waiting = append(waiting, conn); i%10 == 5 {
				go drip(conn)
			}
		}
	}
	began := time.Now()
	r.meanwhile()
	for _, conn := range waiting {
		if _, ended := ends(conn, 2*dtp.HandshakeTime); !ended {
			t.Fatal("a handshake has all the time in the world")
		}
	}
	if took := time.Since(began); took < dtp.HandshakeTime*8/10 {
		t.Errorf("the handshakes were given up after %v", took)
	}
	r.until("the observers are told of each", func() bool { return r.porter.heard(policy.EventTLSFailed) == len(waiting) })
}

// noHandshake sends what is no handshake, also in the clear on the implicit port:
// it is not obeyed, and ends at once.
func noHandshake(t *testing.T) {
	r := serve(t, implicit)
	for _, garbage := range [][]byte{
		[]byte("USER " + user + "\r\nPASS " + password + "\r\nMKD /made\r\n"), []byte("GET / HTTP/1.1\r\n\r\n"),
		bytes.Repeat([]byte{22, 3, 1, 0xff, 0xff}, 100), append([]byte{22, 3, 1, 0, 40}, make([]byte, 40)...), {0x80, 0x2e, 1, 3, 1, 0, 0, 0, 0, 0},
		make([]byte, 300), {21, 3, 3, 0, 2, 2, 40}, {23, 3, 3, 0, 1, 0},
	} {
		for _, conn := range r.pending() {
			_, _ = conn.Write(garbage)
			if said, ended := ends(conn, dtp.HandshakeTime/2); !ended || bytes.Contains(said, []byte("230")) || bytes.Contains(said, []byte("331")) {
				t.Errorf("%.20q is answered %q", garbage, said)
			}
		}
	}
	r.do(r.login(), "CWD /made", 550)
}

// manyHandshakes does as many as it can in parallel, and gives half of them up.
func manyHandshakes(t *testing.T) {
	r := serve(t, implicit)
	before := live()
	for i := range 200 {
		conn := r.dial(r.addrs[1])
		tc := tls.Client(conn, r.client)
		go func() {
			_ = tc.SetDeadline(deadline())
			if err := tc.Handshake(); err != nil || i%2 == 0 {
				reset(conn)
			}
		}()
	}
	r.meanwhile()
	r.until("half of them are there", func() bool { return r.porter.heard(policy.EventTLSEstablished) >= 100 && r.srv.Status().Sessions < 110 })
	r.bounded("bytes for a connection, its own end included", (live()-before)/100, 80<<10)
}

// authAgain asks for TLS inside TLS, in every way.
func authAgain(t *testing.T) {
	r := serve(t, plain)
	c := r.protected(r.client)
	for _, line := range []string{"AUTH TLS", "AUTH SSL", "AUTH TLS-P", "AUTH TLS-C", "auth tls"} {
		r.do(c, line, 503)
		r.do(c, "PWD", 257)
	}
	_, err := c.Write([]byte(strings.Repeat("AUTH TLS\r\n", 20)))
	r.must(err)
	for range 20 {
		r.expect(c, "AUTH", 503)
	}
	r.put(c, "STOR file", "x")
}

// tinyRecords sends commands and a file in records of one byte.
func tinyRecords(t *testing.T) {
	r := serve(t, plain)
	c := r.protected(r.client)
	for _, b := range []byte("PWD\r\nNOOP\r\n") {
		_, err := c.Write([]byte{b})
		r.must(err)
	}
	r.expect(c, "PWD", 257)
	r.expect(c, "NOOP", 200)
	conn, err := c.Begin(userpi.EPSV, "STOR tiny")
	r.must(err)
	r.keep(conn)
	const n = 5000
	for range n {
		_, err := conn.Write([]byte("x"))
		r.must(err)
	}
	r.must(userpi.End(conn))
	r.expect(c, "STOR", 226)
	r.do(c, "SIZE tiny", 213)
	if got := r.get(c, "RETR tiny"); got != strings.Repeat("x", n) {
		t.Errorf("%d bytes came back", len(got))
	}
}

// renegotiation asks for another handshake in the middle of TLS 1.2.
func renegotiation(t *testing.T) {
	r := serve(t, plain)
	client, f := r.forged(tls.VersionTLS12)
	r.must(f.write(typeData, []byte("NOOP\r\n"))) // so far it is well
	if line, err := readLine(client); err != nil || !strings.HasPrefix(line, "200") {
		t.Fatalf("NOOP: %q, %v", line, err)
	}
	hello := clientHello(t)[5:]
	r.must(f.write(typeHandshake, hello))
	_ = f.write(typeData, []byte("NOOP\r\n"))
	if said := told(client); said != "" {
		t.Errorf("after another ClientHello the server says %q", said)
	}
}

// keyUpdates changes keys without end, and sends records that hold nothing.
func keyUpdates(t *testing.T) {
	r := serve(t, plain)
	client, f := r.forged(tls.VersionTLS13)
	r.must(f.write(typeData, []byte("NOOP\r\n")))
	r.must(f.update())
	r.must(f.write(typeData, []byte("NOOP\r\n"))) // one change is anybody's right
	for range 2 {
		if line, err := readLine(client); err != nil || !strings.HasPrefix(line, "200") {
			t.Fatalf("NOOP: %q, %v", line, err)
		}
	}
	for name, send := range map[string]func(*forger) error{
		"key updates":   (*forger).update,
		"empty records": func(f *forger) error { return f.write(typeData, nil) },
		"warnings":      func(f *forger) error { return f.write(typeAlert, []byte{1, 90}) },
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			if name == "key updates" && version == tls.VersionTLS12 {
				continue
			}
			before := spent()
			client, f := r.forged(version)
			sent := 0
			for ; sent < 100_000; sent++ {
				if err := send(f); err != nil {
					break
				}
			}
			if said := told(client); said != "" || sent == 100_000 {
				t.Errorf("%s, %s: %d were taken, and the server says %q", name, tls.VersionName(version), sent, said)
			}
			r.bounded(name+": memory", spent()-before, 64<<20)
		}
	}
}

// downgrade offers what is too old, and cuts down what was offered.
func downgrade(t *testing.T) {
	r := serve(t, plain)
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		c := r.meet()
		conf := r.client.Clone()
		conf.MinVersion, conf.MaxVersion = tls.VersionTLS10, version
		if err := c.Protect(conf); err == nil {
			t.Errorf("%s is spoken", tls.VersionName(version))
		}
	}
	for _, suite := range []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA} {
		c := r.meet()
		conf := r.client.Clone()
		conf.MaxVersion, conf.CipherSuites = tls.VersionTLS12, []uint16{suite}
		if err := c.Protect(conf); err == nil {
			t.Errorf("%s is spoken", tls.CipherSuiteName(suite))
		}
	}
	// Somebody in between makes of the client's hello one of TLS 1.2. The server
	// says in its random number that it could do better (RFC 8446 §4.1.3).
	c := r.meet()
	r.do(c, "AUTH TLS", 234)
	between := &weaken{Conn: c.Raw()}
	_ = between.SetDeadline(deadline())
	err := tls.Client(between, r.client).Handshake()
	if err == nil || !strings.Contains(err.Error(), "downgrade") {
		t.Errorf("a hello that was cut down leads to %v", err)
	}
	if !between.done {
		t.Error("nothing was cut down")
	}
}

// weaken takes TLS 1.3 out of the first record that is written.
type weaken struct {
	net.Conn
	done bool
}

func (w *weaken) Write(b []byte) (int, error) {
	versions := []byte{0, 43, 0, 5, 4, 3, 4, 3, 3} // supported_versions: 1.3, 1.2
	if i := bytes.Index(b, versions); i >= 0 && !w.done {
		b, w.done = bytes.Clone(b), true
		copy(b[i+5:], []byte{3, 3, 3, 3})
	}
	return w.Conn.Write(b)
}

// protocols: who names another protocol gets no connection.
func protocols(t *testing.T) {
	r := serve(t, implicit)
	for _, names := range [][]string{{"h2"}, {"http/1.1"}, {"h2", "http/1.1"}, {"smtp"}, {"ftp-data"}, {"acme-tls/1"}} {
		conf := r.client.Clone()
		conf.NextProtos = names
		for _, conn := range r.pending() {
			_ = conn.SetDeadline(deadline())
			tc := tls.Client(conn, conf)
			if err := tc.Handshake(); err == nil {
				t.Errorf("%q: the handshake was well, for %q", names, tc.ConnectionState().NegotiatedProtocol)
			}
		}
	}
	conf := r.client.Clone()
	conf.NextProtos = []string{"h2", "ftp"}
	r.do(r.protected(conf), "NOOP", 200)
	c := r.protected(r.client)
	addr := r.dataAddr(c)
	r.must(c.Send("LIST"))
	conf.NextProtos = []string{"h2"}
	data := tls.Client(r.dial(addr), conf)
	_ = data.SetDeadline(deadline())
	if err := data.Handshake(); err == nil {
		t.Error("a data connection is HTTP/2")
	}
	r.expect(c, "LIST", 125, 150)
	r.expect(c, "the handshake", 522)
}

// otherListener uses a ticket of one listener on another, for both kinds of
// connections: they have one certificate and one key for tickets.
func otherListener(t *testing.T) {
	r := serve(t, func(s *setup) {
		s.Listeners = append(s.Listeners, s.Listeners[0])
		s.Listeners[1].Name, s.Listeners[1].Binding = "b", dtp.BindRequire
	})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conf := r.client.Clone()
		conf.MinVersion, conf.MaxVersion = version, version
		conf.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		first := r.protected(conf)
		r.put(first, "STOR file", "x") // and there are tickets of both kinds
		second := userpi.New(r.dial(r.addrs[1]))
		second.Timeout = userpi.Timeout
		r.expect(second, "the connection", 220)
		r.do(second, "AUTH TLS", 234)
		client := tls.Client(second.Raw(), conf)
		_ = client.SetDeadline(deadline())
		r.must(client.Handshake())
		if client.ConnectionState().DidResume {
			t.Error("a control connection was resumed")
		}
		own := r.client.Clone()
		own.MinVersion, own.MaxVersion = version, version
		second = userpi.New(r.dial(r.addrs[1]))
		second.Timeout = userpi.Timeout
		r.expect(second, "the connection", 220)
		r.must(second.Protect(own))
		r.must(second.Identify(user, password))
		addr := r.dataAddr(second)
		r.must(second.Send("RETR file"))
		data := tls.Client(r.dial(addr), conf) // with the tickets of the first
		_ = data.SetDeadline(deadline())
		if got, _ := io.ReadAll(data); len(got) > 0 {
			t.Errorf("another session's ticket gets %q", got)
		}
		r.expect(second, "RETR", 125, 150)
		r.expect(second, "RETR", 522)
	}
}

// stalledData opens protected data connections and says nothing on them, in passive
// and in active mode.
func stalledData(t *testing.T) {
	r := serve(t, plain)
	var all []*userpi.Client
	for i := range 20 {
		c := r.protected(r.client)
		line := []string{"STOR x", "LIST"}[i/2%2]
		if i%2 == 0 {
			addr := r.dataAddr(c)
			r.must(c.Send(line))
			r.dial(addr)
			r.expect(c, line, 125, 150)
		} else {
			l := r.trap("127.0.0.1:0")
			r.do(c, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", l.port), 200)
			r.do(c, line, 150)
			conn, err := l.Accept()
			r.must(err)
			r.keep(conn)
		}
		r.do(c, "NOOP", 200)
		all = append(all, c)
	}
	r.meanwhile()
	aborted := all[0]
	r.do(aborted, "ABOR", 426)
	r.expect(aborted, "ABOR", 226)
	for _, c := range all[1:] {
		r.expect(c, "a handshake that never comes", 522)
		r.do(c, "NOOP", 200)
	}
}

// twoPeers: two clients of one address connect to one data port. One of them gets
// the file, and the other one nothing; where tickets decide, it is the owner or
// nobody.
func twoPeers(t *testing.T) {
	r := serve(t, plain)
	r.put(r.login(), "STOR file", "for the owner")
	for _, sealed := range []bool{false, true} {
		for range 20 {
			c := r.login()
			if sealed {
				c = r.protected(r.client)
			}
			addr := r.dataAddr(c)
			thief, owner := r.dial(addr), r.dial(addr)
			r.must(c.Send("RETR file"))
			r.expect(c, "RETR", 125, 150)
			got := make(chan string, 2)
			for _, conn := range []net.Conn{thief, owner} {
				_ = conn.SetDeadline(deadline())
				if sealed {
					conn = tls.Client(conn, r.client)
				}
				go func() { got <- told(conn) }()
			}
			a, b := <-got, <-got
			reply := r.expect(c, "RETR", 226, 522)
			if sealed && (a+b != "" || reply.Code != 522) || !sealed && a+b != "for the owner" {
				t.Errorf("the two get %q and %q, and the owner is told %q", a, b, reply)
			}
			_ = c.Close()
		}
	}
}

// clientHello returns the first bytes that a TLS client sends.
func clientHello(t *testing.T) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	_ = client.SetDeadline(deadline())
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: userpi.ServerName, MinVersion: tls.VersionTLS12}).Handshake()
		client.Close()
	}()
	buf := make([]byte, 16<<10)
	n, err := server.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// longHellos says in its first message, before the server knows anybody, what takes
// much room to repeat.
func longHellos(t *testing.T) {
	r := serve(t, implicit)
	var names []string
	for i := range 230 {
		names = append(names, strings.Repeat("\x01", 250)+fmt.Sprint(i))
	}
	long := map[string]func(*tls.Config){
		"protocols":      func(c *tls.Config) { c.NextProtos = names },
		"a server name":  func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = strings.Repeat("a", 60_000), true },
		"both, in parts": func(c *tls.Config) { c.NextProtos, c.ServerName = names[:100], strings.Repeat("b.", 10_000)+"c" },
	}
	for _, set := range long {
		for _, conn := range r.pending() {
			conf := r.client.Clone()
			set(conf)
			_ = conn.SetDeadline(deadline())
			tc := tls.Client(conn, conf)
			if tc.Handshake() == nil {
				_, _ = tc.Write([]byte("USER " + user + "\r\nPASS " + password + "\r\nCLNT x\r\nQUIT\r\n"))
			}
			_ = told(tc)
		}
		c := r.protected(r.client)
		addr := r.dataAddr(c)
		r.must(c.Send("LIST"))
		conf := r.client.Clone()
		set(conf)
		data := tls.Client(r.dial(addr), conf)
		_ = data.SetDeadline(deadline())
		_ = data.Handshake()
		_ = told(data)
		r.expect(c, "LIST", 125, 150)
		r.expect(c, "LIST", 522)
	}
	r.until("the observers are told of each that failed", func() bool { return r.porter.heard(policy.EventTLSFailed) >= 7 })
	r.porter.mu.Lock()
	defer r.porter.mu.Unlock()
	for _, e := range r.porter.events {
		if n := len(e.Text) + len(e.Session.TLS.ServerName); n > 2<<10 {
			t.Errorf("the event %s holds %d bytes of the hello", e.Kind, n)
		}
	}
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for line := range strings.SplitSeq(r.log.text.String(), "\n") {
		if len(line) > 4<<10 {
			t.Errorf("a line of %d bytes in the log: %.150s", len(line), line)
		}
	}
}
