package parity

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func handlerSession() []line {
	return []line{
		{"FTPHandler.timeout", "attribute = 300: seconds between two lines; 0 is off; rests while data moves", "edge.Timeouts.Idle, pi.Replies.Idle, policy.EventTimeout",
			"limits.timeouts.idle=5m", same, "", testIdleTimeout},
		{"FTPHandler.banner", "attribute: the text of the 220 reply; more than 75 characters stand above an empty last line", "edge.Listener.Banner", "listeners[].banner", same, "", testBanner},
		{"FTPHandler.max_login_attempts", "attribute = 3: failures that close the connection", "edge.Logins.Attempts", "limits.logins.attempts=3", same, "", testLoginAttempts},
		{"FTPHandler.permit_foreign_addresses", "attribute = False: data connections to and from other addresses", "pi.Active.Foreign, pi.Passive.AnyPeer",
			"listeners[].active.foreign_addresses=false, listeners[].passive.same_peer=true", different,
			"one setting for each direction; a stranger at a passive port is turned away without a 425 that nobody has asked for, which would desynchronise the client", testForeignAddresses},
		{"FTPHandler.permit_privileged_ports", "attribute = False: PORT and EPRT to ports below 1024", "pi.Active.Privileged", "listeners[].active.privileged_ports=false", same, "", testPrivilegedPorts},
	}
}

func testIdleTimeout(t *testing.T) {
	const limit = 1200 * time.Millisecond
	set := func(c *edge.Config) { c.Timeouts.Idle = limit }
	both(t, set, file{top: "limits: { timeouts: { idle: 1200ms } }\n"}, func(s *site) {
		var c *client
		took(s.T, "the idle limit", limit, func() {
			c = s.binary()
			c.next("421")
		})
		c.closed()
		s.event("timeout")
		c = s.binary()
		c.says("NOOP", "200") // any line begins anew
		conn, err := c.Begin(userpi.EPSV, "STOR a")
		s.must(err)
		<-time.After(limit * 5 / 4) // the client writes nothing, and a transfer is no idleness
		took(s.T, "the idle limit after a transfer", limit, func() {
			s.must(userpi.End(conn))
			c.next("226")
			c.next("421")
		})
		c.closed()
	})
	off := func(c *edge.Config) { c.Timeouts.Idle, c.Timeouts.Login = -1, time.Second }
	t.Run("off", func(t *testing.T) {
		both(t, off, file{top: "limits: { timeouts: { idle: 0, login: 1s } }\n"}, func(s *site) {
			c, silent := s.login(), s.greeted()
			silent.next("421") // another limit has passed meanwhile
			c.says("NOOP", "200")
		})
	})
}

func testBanner(t *testing.T) {
	both(t, nil, file{}, func(s *site) { s.dial().next("220 edgeftp ready.") })
	set := func(c *edge.Config) { c.Listeners[0].Banner = "Welcome to my FTP server" }
	t.Run("own", func(t *testing.T) {
		both(t, set, file{listener: "banner: Welcome to my FTP server"}, func(s *site) { s.dial().next("220 Welcome to my FTP server") })
	})
	long := strings.Repeat("76 bytes", 9) + "more"
	set = func(c *edge.Config) { c.Listeners[0].Banner = long }
	t.Run("long", func(t *testing.T) {
		both(t, set, file{listener: "banner: " + long}, func(s *site) {
			r := s.dial().next("220")
			if len(r.Lines) != 2 || r.Lines[0] != long || r.Lines[1] != "" {
				s.Errorf("a long banner: %q", r)
			}
		})
	})
}

func testLoginAttempts(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		c := s.greeted()
		for range 2 {
			c.says("USER dev", "331", "PASS wrong", "530")
		}
		c.enter() // a success forgives
		c.says("REIN", "220|230")
		for range 2 {
			c.says("USER dev", "331", "PASS wrong", "530")
		}
		c.says("USER dev", "331", "PASS wrong", "530 *closing*")
		c.closed()
	})
	set := func(c *edge.Config) { c.Logins.Attempts = 1 }
	t.Run("one", func(t *testing.T) {
		both(t, set, file{top: "limits: { logins: { attempts: 1, delay_after_failure: 0 } }\n"}, func(s *site) {
			c := s.greeted()
			c.says("USER dev", "331", "PASS wrong", "530")
			c.closed()
		})
	})
}

func testForeignAddresses(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		s.write("a", "content")
		l := listen(s.T, "127.0.0.2")
		c := s.binary()
		c.says("PORT "+userpi.FormatPort(l.Addr()), "501", "EPRT "+userpi.FormatEPRT(l.Addr()), "501")
		to := c.passive("EPSV")
		stranger := dialFrom(s.T, "127.0.0.2", to)
		c.must(c.Send("RETR a"))
		c.next("150|125")
		if got := drain(stranger); got != "" {
			s.Errorf("a stranger got %q", got)
		}
		if got := drain(dialFrom(s.T, "127.0.0.1", to)); got != "content" {
			s.Errorf("the client got %q", got)
		}
		c.next("226")
	})
	set := func(c *edge.Config) { c.Listeners[0].Active.Foreign, c.Listeners[0].Passive.AnyPeer = true, true }
	t.Run("on", func(t *testing.T) {
		both(t, set, file{listener: "active: { enabled: true, foreign_addresses: true }, passive: { same_peer: false }"}, func(s *site) {
			s.write("a", "content")
			l := listen(s.T, "127.0.0.2")
			c := s.binary()
			c.says("PORT "+userpi.FormatPort(l.Addr()), "200")
			c.must(c.Send("RETR a"))
			conn, err := l.Accept()
			s.must(err)
			if got := drain(conn); got != "content" {
				s.Errorf("the other server got %q", got)
			}
			c.next("150")
			c.next("226")
			stranger := dialFrom(s.T, "127.0.0.2", c.passive("EPSV"))
			c.must(c.Send("RETR a"))
			if got := drain(stranger); got != "content" {
				s.Errorf("the other client got %q", got)
			}
		})
	})
}

func testPrivilegedPorts(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		c := s.login()
		c.says("PORT 127,0,0,1,3,255", "501", "EPRT |1|127.0.0.1|1023|", "501", "PORT 127,0,0,1,4,0", "200")
	})
	set := func(c *edge.Config) { c.Listeners[0].Active.Privileged = true }
	t.Run("on", func(t *testing.T) {
		both(t, set, file{listener: "active: { enabled: true, privileged_ports: true }"}, func(s *site) {
			s.login().says("PORT 127,0,0,1,3,255", "200", "EPRT |1|127.0.0.1|1023|", "200")
		})
	})
}
