package parity

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/wire"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func handlerMethods() []line {
	return []line{
		{"FTPHandler.__init__", "method (conn, server, ioloop): a session on an accepted connection", "edge.Server.ServeConn, pi.NewSession", "code", same, "", testServeConn},
		{"FTPHandler.handle", "method: on_connect, then the 220", "policy.EventConnect, edge.Listener.Banner", "code", different,
			"an observer cannot close the session, only a policy can refuse something", testHandle},
		{"FTPHandler.handle_max_cons", "method: 421 and the end, when there are max_cons sessions", "edge.Limits.Sessions, pi.Replies.MaxSessions, policy.EventMaxCons",
			"limits.sessions.total=5000", safer, "sessions are counted, where the model counts sockets, so that a transfer takes no place", testMaxSessions},
		{"FTPHandler.handle_max_cons_per_ip", "method: 421 and the end, when an address has max_cons_per_ip sessions (0: no limit)", "edge.Limits.SessionsPerIP, pi.Replies.MaxSessionsPerIP, policy.EventMaxConsPerIP",
			"limits.sessions.per_ip=20", safer, "20 by default and not unlimited; an IPv6 /64 counts as one address", testMaxSessionsPerIP},
		{"FTPHandler.handle_timeout", "method: what is said and done when the session was idle for too long", "pi.Replies.Idle, policy.EventTimeout", "code", same, "", testHandleTimeout},
	}
}

func handlerOwn() []line {
	return []line{
		{"FTPHandler.process_command", "method (cmd, *args): every accepted command goes through it", "pi.Table.Wrap, pi.Handler", "code", different,
			"it sees STAT without an argument too, which goes around the model's; permissions are asked behind it, of the path that the handler means", testWrap},
		{"FTPHandler.flush_account", "method: the login and the transfer parameters go back to their beginning", "pi.Session.Logout", "code", different,
			"EPSV ALL and the facts of OPTS MLST, which outlive it in the model, go back too", testFlush},
		{"FTPHandler.run_as_current_user", "method: a function with the rights of the user's account", "vfs.AsUser, vfs.RunAs, edge.Config.Home", "code", different,
			"the filesystem of a login has the rights of its user as a whole, on Linux, by thread and not by process; where that is not possible the login is refused", testAsUser},
	}
}

// A session on a connection that somebody else has accepted.
func testServeConn(t *testing.T) {
	s := serve(t, func(c *edge.Config) {
		c.Listeners = append(c.Listeners, edge.Listener{Name: "handed", Banner: "handed over"})
	})
	l := listen(t, "127.0.0.1")
	ended := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = s.srv.ServeConn(t.Context(), conn, "handed")
		}
		ended <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	s.must(err)
	c := &client{userpi.New(conn), t}
	c.next("220 handed over")
	c.enter()
	c.says("QUIT", "221")
	c.closed()
	s.must(<-ended)
	if e := s.event("login"); e.Listener != "handed" || e.Remote != conn.LocalAddr().String() {
		t.Errorf("the login is %+v", e)
	}
}

func testHandle(t *testing.T) {
	s := serve(t, nil)
	before := time.Now()
	s.greeted()
	if e := s.event("connect"); e.Request != 1 || e.Time.Before(before.Add(-time.Second)) || e.User != "" {
		t.Errorf("connect is not the first that is told: %+v", e)
	}
}

// full fills a server of two places and returns what the third client hears.
func (s *site) full() *client {
	s.Helper()
	a, b := s.login(), s.binary()
	conn, err := b.Begin(userpi.EPSV, "STOR a") // a transfer takes no place
	s.must(err)
	s.Cleanup(func() { conn.Close() })
	c := s.dial()
	c.next("421")
	c.closed()
	a.says("QUIT", "221")
	a.closed()
	until(s.T, "there is a place again", func() bool { r, err := s.dial().Reply(); return err == nil && r.Code == 220 })
	return c
}

func testMaxSessions(t *testing.T) {
	set := func(c *edge.Config) { c.Limits.Sessions = 2 }
	both(t, set, file{top: "limits: { sessions: { total: 2 } }\n"}, func(s *site) {
		s.full()
		if e := s.event("max_cons"); e.Session != 0 || e.Remote == "" {
			s.Errorf("max_cons: %+v", e)
		}
		s.event("disconnect")
	})
	t.Run("own reply", func(t *testing.T) {
		s := serve(t, func(c *edge.Config) { c.Limits.Sessions, c.Replies.MaxSessions = 1, wire.Say(421, "Full house.") })
		s.login()
		s.dial().next("421 Full house.")
	})
}

func testMaxSessionsPerIP(t *testing.T) {
	set := func(c *edge.Config) {
		c.Limits.SessionsPerIP, c.Replies.MaxSessionsPerIP = 2, wire.Reply{}
		c.Listeners[0].Address = "0.0.0.0:0"
	}
	both(t, set, file{top: "limits: { sessions: { per_ip: 2 } }\n"}, func(s *site) {
		s.addrs[0] = strings.Replace(strings.Replace(s.addrs[0], "[::]", "127.0.0.1", 1), "0.0.0.0", "127.0.0.1", 1)
		s.full()
		s.event("max_cons_per_ip")
	})
	t.Run("another address", func(t *testing.T) {
		s := serve(t, func(c *edge.Config) { c.Limits.SessionsPerIP = 1 })
		s.login()
		s.dial().next("421")
		c := &client{userpi.New(dialFrom(t, "127.0.0.2", s.addrs[0])), t}
		c.next("220")
	})
}

func testHandleTimeout(t *testing.T) {
	s := serve(t, func(c *edge.Config) {
		c.Timeouts.Idle = time.Second
		c.Replies.Idle = wire.Multi(421, "Still there?", "No.")
	})
	c := s.login()
	if r := c.next("421 Still there?"); len(r.Lines) != 2 {
		t.Errorf("the reply is %q", r)
	}
	c.closed()
	s.told(1, "connect", "login", "timeout", "disconnect")
}

// A wrapper sees what was accepted and can answer itself.
func testWrap(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	s := serve(t, func(c *edge.Config) {
		c.Commands = pi.Standard().Wrap(func(row pi.Spec, next pi.Handler) pi.Handler {
			return func(s *pi.Session, a pi.Args) pi.Outcome {
				mu.Lock()
				seen = append(seen, row.Verb)
				mu.Unlock()
				if row.Verb == "SYST" {
					return pi.Say(215, "of my own")
				}
				return next(s, a)
			}
		})
	})
	c := s.login()
	c.says("NOPE", "500", "RNTO x", "503", "SIZE", "501", "STAT", "211", "SITE CHMOD 600 missing", "550", "SYST", "215 of my own", "QUIT", "221")
	c.closed()
	if want := []string{"USER", "PASS", "STAT", "SITE CHMOD", "SYST", "QUIT"}; !slices.Equal(seen, want) {
		t.Errorf("seen: %q, want %q", seen, want)
	}
}

func testFlush(t *testing.T) {
	s := serve(t, func(c *edge.Config) {
		c.Commands = pi.Standard().With(pi.Spec{Verb: "XFLUSH", Grammar: pi.NoArg, Help: ": begin anew",
			Handler: func(s *pi.Session, _ pi.Args) pi.Outcome { s.Logout(); return pi.Say(200, "flushed") }})
	})
	s.write("a", "content")
	s.mkdir("d")
	c := s.binary()
	port := c.passive("EPSV")
	c.says("CWD d", "250", "OPTS MLST type;", "200", "REST 3", "350", "RNFR /a", "350", "EPSV ALL", "200", "XFLUSH", "200",
		"PWD", "530", "USER dev", "331", "PASS "+password, "230", "PWD", `257 "/" *`, "SIZE a", "550", "RNTO b", "503", "TYPE I", "200", "FEAT", "211 *size*;*")
	if conn, err := net.Dial("tcp", port); err == nil {
		if got := drain(conn); got != "" {
			t.Errorf("the data port says %q", got)
		}
		t.Error("the data port is still there")
	}
	if got, err := c.Get(userpi.PASV, "RETR a"); err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
	s.event("logout")
}
