package parity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func passivePorts() []line {
	return []line{
		{"PassiveDTP", "class: a listening data port that serves one connection", "dtp.Passive, dtp.PassivePort, dtp.Listen", "code", same, "", testPassivePort},
		{"PassiveDTP.timeout", "attribute = 30: seconds for the client to connect, then 421 and the session goes on", "pi.Passive.Wait, dtp.WaitDefault, dtp.PassiveConfig.Wait", "listeners[].passive.timeout=30s", different,
			"425, because 421 says that the session ends; 0 is off", testPassiveTimeout},
		{"PassiveDTP.backlog", "attribute = None: connections that may wait, those of the server by default", "pi.Passive.Backlog, dtp.PassiveConfig.Backlog", "listeners[].passive.backlog=0", different,
			"the system's own number by default", testBacklog},
		{"PassiveDTP.__init__", "method (cmd_channel, extmode): listens, and replies 227 or 229", "dtp.Listen, dtp.PassiveConfig", "code", same, "", testPassiveInit},
		{"PassiveDTP.handle_accepted", "method (sock, addr): takes one connection; of a stranger 425, and it goes on listening", "dtp.Passive.Open, dtp.Passive.Foreign", "code", different,
			"no reply is sent that nobody has asked for", testAccepted},
	}
}

func activePorts() []line {
	return []line{
		{"ActiveDTP", "class: a data connection that the server makes", "dtp.Active, dtp.NewActive", "code", same, "", testActivePort},
		{"ActiveDTP.timeout", "attribute = 30: seconds to connect, then 421", "pi.Active.Wait, dtp.ActiveConfig.Wait", "listeners[].active.timeout=30s", different,
			"425, because 421 says that the session ends; 0 is off", testActiveTimeout},
		{"ActiveDTP.__init__", "method (ip, port, cmd_channel): connects from the address of the control connection", "dtp.NewActive, dtp.ActiveConfig.Local", "code", different,
			"it connects when the transfer begins (RFC 959 §3.2)", testActiveInit},
		{"ActiveDTP.handle_connect", "method: the connection is there, and PORT is answered", "dtp.Active.Open", "code", different,
			"PORT was answered before", testConnected},
	}
}

func loopback() netip.Addr { return netip.MustParseAddr("127.0.0.1") }

// passive opens a data port and closes it with the test.
func passive(t *testing.T, conf dtp.PassiveConfig) *dtp.Passive {
	t.Helper()
	conf.Local = loopback()
	p, err := dtp.Listen(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func testPassivePort(t *testing.T) {
	p := passive(t, dtp.PassiveConfig{Peer: loopback()})
	if p.Ready() {
		t.Error("it is ready before anybody has come")
	}
	mine := dialFrom(t, "127.0.0.1", p.Addr().String())
	until(t, "it is ready", p.Ready)
	conn, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.RemoteAddr().String() != mine.LocalAddr().String() {
		t.Errorf("the connection is from %v", conn.RemoteAddr())
	}
	if again, err := net.Dial("tcp", p.Addr().String()); err == nil {
		again.Close()
		t.Error("a second connection is taken")
	}
	if _, err := p.Open(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("opened twice: %v", err)
	}
}

func testPassiveTimeout(t *testing.T) {
	const limit = time.Second
	both(t, func(c *edge.Config) { c.Listeners[0].Passive.Wait = limit }, file{listener: "passive: { timeout: 1s }"}, func(s *site) {
		c := s.binary()
		took(s.T, "a port that nobody comes to", limit, func() {
			c.says("EPSV", "229", "STOR a", "150")
			c.next("425")
		})
		addr := c.passive("EPSV")
		until(s.T, "the port is given up", func() bool { // also without a command
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		c.says("NOOP", "200")
	})
	t.Run("off", func(t *testing.T) {
		set := func(c *edge.Config) { c.Listeners[0].Passive.Wait, c.Timeouts.Login = -1, time.Second }
		both(t, set, file{listener: "passive: { timeout: 0 }", top: "limits: { timeouts: { login: 1s } }\n"}, func(s *site) {
			c, silent := s.binary(), s.greeted()
			addr := c.passive("EPSV")
			c.must(c.Send("STOR a"))
			c.next("150")
			silent.next("421") // another limit has passed meanwhile
			dialFrom(s.T, "127.0.0.1", addr).Close()
			c.next("226")
		})
	})
	if p := passive(t, dtp.PassiveConfig{}); time.Until(p.Until()) < 29*time.Second || time.Until(p.Until()) > 30*time.Second || dtp.WaitDefault != 30*time.Second {
		t.Errorf("by default it waits %v", time.Until(p.Until()))
	}
}

// testBacklog asks the kernel how many connections may wait.
func testBacklog(t *testing.T) {
	both(t, func(c *edge.Config) { c.Listeners[0].Passive.Backlog = 3 }, file{listener: "passive: { backlog: 3 }"}, func(s *site) {
		if n := s.backlog(s.binary().passive("EPSV")); n != 3 {
			s.Errorf("%d may wait", n)
		}
	})
	s := serve(t, nil)
	if n := s.backlog(s.binary().passive("EPSV")); n < 5 {
		t.Errorf("by default %d may wait", n)
	}
}

func testPassiveInit(t *testing.T) {
	s := serve(t, nil)
	c := s.login()
	one := netip.MustParseAddrPort(c.passive("PASV"))
	two := netip.MustParseAddrPort(c.passive("EPSV"))
	if one.Addr() != loopback() || two.Addr() != loopback() || one.Port() == two.Port() {
		t.Errorf("the ports are %v and %v", one, two)
	}
	ports := free(t, 1)
	if p := passive(t, dtp.PassiveConfig{Ports: dtp.PortRange{{First: ports[0], Last: ports[0]}}}); p.Addr().Port() != ports[0] {
		t.Errorf("the port is %v, not %d", p.Addr(), ports[0])
	}
	if _, err := dtp.Listen(t.Context(), dtp.PassiveConfig{Local: loopback(), Ports: dtp.PortRange{{First: ports[0], Last: ports[0]}}}); !errors.Is(err, dtp.ErrNoPort) {
		t.Errorf("a port that is taken: %v", err)
	}
}

func testAccepted(t *testing.T) {
	p := passive(t, dtp.PassiveConfig{Peer: loopback()})
	strangers := []net.Conn{dialFrom(t, "127.0.0.2", p.Addr().String()), dialFrom(t, "127.0.0.3", p.Addr().String())}
	mine := dialFrom(t, "127.0.0.1", p.Addr().String())
	conn, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, c := range strangers {
		if got := drain(c); got != "" {
			t.Errorf("a stranger got %q", got)
		}
	}
	if conn.RemoteAddr().String() != mine.LocalAddr().String() || p.Foreign() != 2 {
		t.Errorf("taken: %v; turned away: %d", conn.RemoteAddr(), p.Foreign())
	}
	testForeignAddresses(t)
}

// active makes a data port of the client's.
func active(t *testing.T, conf dtp.ActiveConfig, target net.Addr) (*dtp.Active, error) {
	t.Helper()
	conf.Peer = loopback()
	return dtp.NewActive(conf, netip.MustParseAddrPort(target.String()))
}

func testActivePort(t *testing.T) {
	l := listen(t, "127.0.0.1")
	p, err := active(t, dtp.ActiveConfig{}, l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.RemoteAddr().String() != l.Addr().String() {
		t.Errorf("connected to %v", conn.RemoteAddr())
	}
	if _, err := active(t, dtp.ActiveConfig{}, listen(t, "127.0.0.2").Addr()); !errors.Is(err, dtp.ErrForeign) {
		t.Errorf("a foreign address: %v", err)
	}
	if _, err := active(t, dtp.ActiveConfig{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}); !errors.Is(err, dtp.ErrLowPort) {
		t.Errorf("a privileged port: %v", err)
	}
}

func testActiveTimeout(t *testing.T) {
	const limit = 400 * time.Millisecond
	both(t, func(c *edge.Config) { c.Listeners[0].Active.Wait = limit }, file{listener: "active: { enabled: true, timeout: 400ms }"}, func(s *site) {
		c := s.binary()
		c.says("PORT "+userpi.FormatPort(deaf(s.T)), "200")
		took(s.T, "a port that does not answer", limit, func() {
			c.says("STOR a", "150")
			c.next("425")
		})
		c.says("NOOP", "200")
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer time.AfterFunc(limit, cancel).Stop()
	p, err := active(t, dtp.ActiveConfig{Wait: -1}, deaf(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("without a limit of its own: %v", err)
	}
	program(t, file{listener: "active: { enabled: true, timeout: 0 }"}).login().says("PORT 127,0,0,1,100,100", "200")
}

func testActiveInit(t *testing.T) {
	s := serve(t, func(c *edge.Config) { c.Listeners[0].Address = "127.0.0.7:0" })
	s.write("a", "content")
	c := s.binary()
	l := listen(t, netip.MustParseAddrPort(c.Raw().LocalAddr().String()).Addr().String())
	c.says("PORT "+userpi.FormatPort(l.Addr()), "200")
	c.must(c.Send("RETR a"))
	conn, err := l.Accept()
	s.must(err)
	if from := netip.MustParseAddrPort(conn.RemoteAddr().String()); from.Addr().String() != "127.0.0.7" || from.Port() == 20 {
		t.Errorf("the connection comes from %v", from)
	}
	if got := drain(conn); got != "content" {
		t.Errorf("got %q", got)
	}
}

func testConnected(t *testing.T) {
	l := listen(t, "127.0.0.1")
	p, err := active(t, dtp.ActiveConfig{}, l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "hello")
	conn.Close()
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := drain(other); got != "hello" {
		t.Errorf("got %q", got)
	}
	if _, err := p.Open(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("opened twice: %v", err)
	}
	l.Close()
	p, err = active(t, dtp.ActiveConfig{}, l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(t.Context()); !errors.Is(err, dtp.ErrUnreached) {
		t.Errorf("a port that nobody listens on: %v", err)
	}
}
