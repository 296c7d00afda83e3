package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/proxied"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// behindProxy has the first listener take what loopback announces.
func behindProxy(set ...func(*dtp.Proxies)) func(*Config) {
	return func(c *Config) {
		p := &dtp.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Data: true, Read: proxied.Read}
		for _, f := range set {
			f(p)
		}
		c.Listeners[0].Proxies = p
	}
}

func optional(p *dtp.Proxies) { p.Optional, p.Within = true, 150*time.Millisecond }

// elsewhere trusts an address that nobody here has.
func elsewhere(p *dtp.Proxies) { p.Trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }

const (
	client4 = "PROXY TCP4 203.0.113.7 198.51.100.1 40000 21\r\n"
	other4  = "PROXY TCP4 203.0.113.8 198.51.100.1 40001 21\r\n"
	client6 = "PROXY TCP6 2001:db8::7 2001:db8::1 40000 21\r\n"
	unknown = "PROXY UNKNOWN\r\n"
	local2  = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	client2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x13\xcb\x00\x71\x07\xc6\x33\x64\x01\x9c\x40\x00\x15\x03\x00\x04\x12\x34\x56\x78" // client4, and a checksum field
)

// announced connects and says a header first.
func (r *rig) announced(header string) *userpi.Client {
	r.t.Helper()
	c := r.dial()
	if _, err := io.WriteString(c.Raw(), header); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// seen returns the session that policies see.
func (r *rig) seen() policy.Session {
	r.t.Helper()
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	for _, e := range slices.Backward(r.keeper.events) {
		if e.Session.ID > 0 {
			return *e.Session
		}
	}
	r.t.Fatal("no event tells of a session")
	return policy.Session{}
}

// data opens a passive data connection for a command and says a header on it.
func (r *rig) data(c *userpi.Client, header, line string) (net.Conn, userpi.Reply) {
	r.t.Helper()
	port, err := c.Prepare(userpi.EPSV)
	r.must(err)
	conn, err := port.Open()
	r.must(err)
	_, err = io.WriteString(conn, header)
	r.must(err)
	r.must(conn.SetDeadline(time.Now().Add(userpi.Timeout)))
	return conn, r.do(c, line, 125, 150)
}

// The announced addresses are the session's, whatever the version; PASV tells the one that
// the client knows; and files come and go through announced data connections.
func TestProxied(t *testing.T) {
	for name, s := range map[string]struct{ header, peer, local, told string }{
		"version 1, TCP4":    {client4, "203.0.113.7:40000", "198.51.100.1:21", "(198,51,100,1,"},
		"version 1, TCP6":    {client6, "[2001:db8::7]:40000", "[2001:db8::1]:21", ""},
		"version 1, UNKNOWN": {unknown, "127.0.0.1:", "127.0.0.1:", "(127,0,0,1,"},
		"version 2, TCP4":    {client2, "203.0.113.7:40000", "198.51.100.1:21", "(198,51,100,1,"},
		"version 2, LOCAL":   {local2, "127.0.0.1:", "127.0.0.1:", "(127,0,0,1,"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, behindProxy())
			defer r.stop()
			r.must(r.fs.WriteFile("/a", bytes.Repeat([]byte("0123456789"), 1000)))
			c := r.announced(s.header)
			r.must(c.Login("dev", "secret"))
			r.do(c, "TYPE I", 200)
			if s.told != "" {
				if reply := r.do(c, "PASV", 227); !strings.Contains(reply.String(), s.told) {
					t.Errorf("PASV: %v; want %s", reply, s.told)
				}
			} else {
				r.do(c, "PASV", 425)
			}
			conn, _ := r.data(c, s.header, "RETR a")
			got, err := io.ReadAll(conn)
			r.must(err)
			r.expect(c, "RETR", 226)
			if len(got) != 10000 {
				t.Errorf("%d bytes came", len(got))
			}
			conn, _ = r.data(c, s.header, "STOR b")
			_, err = io.WriteString(conn, "up")
			r.must(err)
			r.must(userpi.End(conn))
			r.expect(c, "STOR", 226)
			r.until("the observers are told", func() bool { return r.was(policy.EventFileReceived) })
			who := r.seen()
			if !strings.HasPrefix(who.Peer.String(), s.peer) || !strings.HasPrefix(who.Local.String(), s.local) {
				t.Errorf("policies see %v at %v, want %s at %s", who.Peer, who.Local, s.peer, s.local)
			}
		})
	}
}

// A data connection is the client's that is announced as his. Strangers, those without
// a header, those who are slow, and those of other clients do not stand in its way, however
// many they are.
func TestProxiedData(t *testing.T) {
	r := start(t, behindProxy())
	defer r.stop()
	r.must(r.fs.WriteFile("/a", []byte("whole")))
	c := r.announced(client4)
	r.must(c.Login("dev", "secret"))
	r.do(c, "TYPE I", 200)
	port, err := c.Prepare(userpi.EPSV)
	r.must(err)
	r.must(c.Send("RETR a"))
	r.expect(c, "RETR", 150)
	var others []net.Conn
	for i := range 60 {
		conn, err := port.Open()
		r.must(err)
		defer conn.Close()
		_, err = io.WriteString(conn, []string{other4, "PROXY TCP4 203.0.", "no header\r\n", "", client6, unknown}[i%6])
		r.must(err)
		others = append(others, conn)
	}
	conn, err := port.Open()
	r.must(err)
	_, err = io.WriteString(conn, client4)
	r.must(err)
	r.must(conn.SetDeadline(time.Now().Add(userpi.Timeout)))
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "whole" {
		t.Errorf("%q, %v", got, err)
	}
	r.expect(c, "RETR", 226)
	for i, o := range others {
		r.must(o.SetDeadline(time.Now().Add(userpi.Timeout)))
		if got, err := io.ReadAll(o); len(got) > 0 || errors.Is(err, io.EOF) {
			t.Errorf("connection %d was given %q, %v", i, got, err)
		}
	}
}

// A port without anybody who is announced gives up in time, also while others wait in it.
func TestProxiedNobody(t *testing.T) {
	r := start(t, func(c *Config) {
		behindProxy()(c)
		c.Listeners[0].Passive.Wait = 300 * time.Millisecond
	})
	defer r.stop()
	c := r.announced(client4)
	r.must(c.Login("dev", "secret"))
	port, err := c.Prepare(userpi.EPSV)
	r.must(err)
	conn, err := port.Open()
	r.must(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "PROXY TCP4 203")
	r.must(err)
	r.must(c.Send("LIST"))
	began := time.Now()
	r.expect(c, "LIST", 150, 125)
	r.expect(c, "LIST", 425)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Without data, the client comes past the proxy: from the announced address, and to any of
// this host's.
func TestProxiedPast(t *testing.T) {
	r := start(t, behindProxy(func(p *dtp.Proxies) { p.Data = false }))
	defer r.stop()
	r.must(r.fs.WriteFile("/a", []byte("whole")))
	c := r.announced("PROXY TCP4 127.0.0.9 198.51.100.1 40000 21\r\n")
	r.must(c.Login("dev", "secret"))
	r.do(c, "TYPE I", 200)
	at, err := userpi.Address(r.do(c, "EPSV", 229), c.Raw().RemoteAddr())
	r.must(err)
	r.must(c.Send("RETR a"))
	r.expect(c, "RETR", 150)
	stranger, err := net.Dial("tcp", at) // from 127.0.0.1
	r.must(err)
	defer stranger.Close()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	conn, err := from.DialContext(t.Context(), "tcp", strings.Replace(at, "127.0.0.1", "127.0.0.2", 1))
	r.must(err)
	got, err := io.ReadAll(conn)
	r.must(err)
	r.expect(c, "RETR", 226)
	if string(got) != "whole" {
		t.Errorf("%q", got)
	}
}

// Nobody but a trusted proxy is believed.
func TestProxiedStranger(t *testing.T) {
	r := start(t, behindProxy(elsewhere))
	defer r.stop()
	r.must(r.announced(client4).Closed())
	if n := r.srv.Status().Unannounced; n != 1 {
		t.Errorf("%d are counted", n)
	}

	r = start(t, behindProxy(elsewhere, optional))
	defer r.stop()
	c := r.announced(client4) // a lie: the line is a command
	r.expect(c, "the connection", 220)
	r.expect(c, "PROXY", 500)
	r.must(c.Identify("dev", "secret"))
	if who := r.seen(); who.Peer.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("policies see %v", who.Peer)
	}
}

// Trusted ones without a header are served where it is optional, with the bytes that they
// have said instead, and closed where it is required.
func TestProxiedOptional(t *testing.T) {
	set, conf := tlsConfigs(t)
	r := start(t, func(c *Config) {
		set(c)
		behindProxy(optional)(c)
		second := c.Listeners[0]
		second.Name, second.Implicit = "implicit", true
		c.Listeners = append(c.Listeners, second)
	})
	defer r.stop()
	c := r.dial() // silent, as clients of FTP are
	r.must(c.Login("dev", "secret"))
	if who := r.seen(); who.Peer.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("policies see %v", who.Peer)
	}
	_, err := c.Get(userpi.EPSV, "NLST") // without a header: none was on the control connection
	r.must(err)
	r.must(c.Close())

	early := r.announced("FEAT\r\nNOOP\r\n")
	r.expect(early, "the connection", 220)
	r.expect(early, "FEAT", 211)
	r.expect(early, "NOOP", 200)
	r.must(early.Close())

	plain := r.addr
	r.addr = r.srv.Addresses()[1].String()
	for _, header := range []string{"", client4, client6} {
		c := r.announced(header)
		r.must(c.StartTLS(conf))
		r.expect(c, "the connection", 220)
		r.must(c.Identify("dev", "secret"))
		r.do(c, "NOOP", 200)
		r.park(1)
		r.do(c, "NOOP", 200)
		r.must(c.Close())
		r.park(0)
	}
	r.addr = plain
	r.must(r.announced("PROXY TCP4 nonsense\r\n").Closed())

	strict := start(t, behindProxy(func(p *dtp.Proxies) { p.Within = 100 * time.Millisecond }))
	defer strict.stop()
	for _, header := range []string{"", "PROXY TCP4 203.", "USER dev\r\n", client4[:len(client4)-2] + "\n", local2[:15]} {
		strict.must(strict.announced(header).Closed())
	}
	if n := strict.srv.Status().Unannounced; n != 5 {
		t.Errorf("%d are counted", n)
	}
	if st := strict.srv.Status(); st.Sessions != 0 {
		t.Errorf("%d sessions", st.Sessions)
	}
}

// Limits and bans hold for the announced address: one client does not take the room of
// others, and the proxy is never banned.
func TestProxiedLimits(t *testing.T) {
	r := start(t, func(c *Config) {
		behindProxy()(c)
		c.Limits.SessionsPerIP = 1
		c.Logins.Attempts = 1
		c.Defence = Defence{Score: 10}
	})
	defer r.stop()
	c := r.announced(client4)
	r.must(c.Login("dev", "secret"))
	r.expect(r.announced(client4), "a second one", 421)
	second := r.announced(other4)
	r.must(second.Login("dev", "secret"))
	bad := r.announced("PROXY TCP4 203.0.113.66 198.51.100.1 1 21\r\n")
	r.expect(bad, "the connection", 220)
	r.do(bad, "USER dev", 331)
	r.do(bad, "PASS wrong", 421, 530)
	r.must(bad.Closed())
	r.expect(r.announced("PROXY TCP4 203.0.113.66 198.51.100.1 2 21\r\n"), "who is banned", 421)
	r.do(c, "NOOP", 200)
	r.must(r.announced("PROXY TCP4 203.0.113.9 198.51.100.1 2 21\r\n").Login("dev", "secret"))
	bans := r.srv.Bans()
	if len(bans) != 1 || bans[0].Who.Addr() != netip.MustParseAddr("203.0.113.66") {
		t.Errorf("banned: %v", bans)
	}
}

// A session that a proxy has brought is parked, rests and wakes up like any other, in the
// clear and under TLS, and is told by its announced addresses after that.
func TestProxiedParked(t *testing.T) {
	set, conf := tlsConfigs(t)
	for _, protected := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", protected), func(t *testing.T) {
			r := start(t, func(c *Config) { set(c); behindProxy()(c) })
			defer r.stop()
			r.must(r.fs.WriteFile("/a", []byte("whole")))
			c := r.announced(client2)
			r.expect(c, "the connection", 220)
			if protected {
				r.must(c.Protect(conf))
			}
			r.must(c.Identify("dev", "secret"))
			r.do(c, "TYPE I", 200)
			for range 3 {
				r.park(1)
				if reply := r.do(c, "PASV", 227); !strings.Contains(reply.String(), "198,51,100,1") {
					t.Errorf("%v", reply)
				}
			}
			conn, _ := r.data(c, client2, "RETR a")
			if protected {
				var err error
				conn, err = c.Secure(conn)
				r.must(err)
			}
			got, err := io.ReadAll(conn)
			r.must(err)
			r.expect(c, "RETR", 226)
			if string(got) != "whole" || r.seen().Peer.String() != "203.0.113.7:40000" {
				t.Errorf("%q, %v", got, r.seen().Peer)
			}
		})
	}
}

// Half headers, of however many, leave nothing behind, keep nobody out, and do not hold up
// the end of the server.
func TestProxiedFlood(t *testing.T) {
	r := start(t, behindProxy(func(p *dtp.Proxies) { p.Within = time.Minute }))
	const n = 300
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			conn, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			_, _ = io.WriteString(conn, []string{"PROXY TCP4 203.0.", client2[:20], "\r\n\r\n", ""}[i%4])
		})
	}
	all.Wait()
	r.until("they wait", func() bool {
		r.srv.mu.Lock()
		defer r.srv.mu.Unlock()
		return len(r.srv.lobby) == n
	})
	r.must(r.announced(client4).Login("dev", "secret"))
	if st := r.srv.Status(); st.Sessions != 1 {
		t.Errorf("%d sessions", st.Sessions)
	}
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// More than the lobby holds are closed at once.
func TestProxiedCrowd(t *testing.T) {
	r := start(t, behindProxy())
	defer r.stop()
	r.srv.mu.Lock()
	var fill []net.Conn
	for range mostInLobby {
		a, b := net.Pipe()
		fill = append(fill, a, b)
		r.srv.lobby[a] = struct{}{}
	}
	r.srv.mu.Unlock()
	r.must(r.announced(client4).Closed())
	r.srv.mu.Lock()
	for _, c := range fill {
		delete(r.srv.lobby, c)
		_ = c.Close()
	}
	r.srv.mu.Unlock()
	r.must(r.announced(client4).Login("dev", "secret"))
}

// The data connection of a proxied session is bare, so that the kernel moves its bytes.
func TestProxiedBare(t *testing.T) {
	var conn net.Conn
	r := start(t, func(c *Config) {
		behindProxy()(c)
		c.Transfer.Run = func(ctx context.Context, tr *dtp.Transfer) dtp.Result {
			port := tr.Port
			tr.Port = tapped{port, &conn}
			return tr.Run(ctx)
		}
	})
	defer r.stop()
	c := r.announced(client4)
	r.must(c.Login("dev", "secret"))
	data, _ := r.data(c, client4, "NLST")
	_, err := io.ReadAll(data)
	r.must(err)
	r.expect(c, "NLST", 226)
	if _, bare := conn.(*net.TCPConn); !bare {
		t.Errorf("it is a %T", conn)
	}
}

// A configuration that would believe everybody, or cannot read, is refused.
func TestProxiesCheck(t *testing.T) {
	for name, set := range map[string]func(*dtp.Proxies){
		"Read":    func(p *dtp.Proxies) { p.Read = nil },
		"Trusted": func(p *dtp.Proxies) { p.Trusted = nil },
		"Within":  func(p *dtp.Proxies) { p.Within = time.Hour },
	} {
		conf := basic(newKeeper())
		behindProxy(set)(&conf)
		if _, err := New(conf); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What Read panics with ends the connection alone.
func TestProxiedPanic(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Log = slog.New(slog.DiscardHandler)
		behindProxy(func(p *dtp.Proxies) {
			p.Read = func(r io.Reader) (dtp.Announcement, error) {
				a, err := proxied.Read(r)
				if a.Peer.Port() == 666 {
					panic("boom")
				}
				return a, err
			}
		})(c)
	})
	defer r.stop()
	const boom = "PROXY TCP4 203.0.113.7 198.51.100.1 666 21\r\n"
	r.must(r.announced(boom).Closed())
	c := r.announced(client4)
	r.must(c.Login("dev", "secret"))
	port, err := c.Prepare(userpi.EPSV)
	r.must(err)
	conn, err := port.Open()
	r.must(err)
	defer conn.Close()
	_, err = io.WriteString(conn, boom)
	r.must(err)
	r.must(c.Send("NLST"))
	reply, err := c.Reply()
	for err == nil && reply.Code < 200 {
		reply, err = c.Reply()
	}
	r.until("both panics are counted", func() bool { return r.srv.Status().Panics == 2 })
	r.must(r.announced(other4).Login("dev", "secret"))
}

// tapped shows the connection that a port opens.
type tapped struct {
	dtp.Port
	to *net.Conn
}

func (p tapped) Open(ctx context.Context) (net.Conn, error) {
	conn, err := p.Port.Open(ctx)
	*p.to = conn
	return conn, err
}
