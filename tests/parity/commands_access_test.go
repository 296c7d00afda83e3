package parity

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func accessCommands() []line {
	return []line{
		{"FTPHandler.ftp_USER", "command: 331 for any name; of somebody who is logged in, it ends the login", "pi.Standard[USER]", "code", same, "", testUSER},
		{"FTPHandler.ftp_PASS", "command: 230 or the user's own text; 503 without USER or when logged in; 530 after a delay", "pi.Standard[PASS], policy.Identity.MsgLogin", "users.list[].msg_login", same, "", testPASS},
		{"FTPHandler.ftp_QUIT", "command: 221 or the user's own text; during a transfer 221 at once, and 226 when it is done", "pi.Standard[QUIT], policy.Identity.MsgQuit", "users.list[].msg_quit", different,
			"during a transfer 226 comes first and then 221: clients that close on 221 would lose the 226", testQUIT},
	}
}

func portCommands() []line {
	return []line{
		{"FTPHandler.ftp_PORT", "command: 200 when the connection is made; 501 for syntax, foreign and privileged; 425 refused; 421 no answer", "pi.Standard[PORT]", "listeners[].active.enabled=false", different,
			"200 at once and the connection with the transfer, since the client may begin to listen later (RFC 959 §3.2); 425 also after 30 s, because 421 says that the session ends; off in the file unless asked for", testPORT},
		{"FTPHandler.ftp_EPRT", "command: as PORT; 522 for the other protocol, 501 for an unknown one; any delimiter", "pi.Standard[EPRT]", "code", different,
			"as PORT; 522 for an unknown protocol too (RFC 2428 §2)", testEPRT},
		{"FTPHandler.ftp_PASV", "command: 227 with six numbers; one connection; 421 when nobody comes", "pi.Standard[PASV]", "code", different,
			"425 when nobody comes, because the session goes on; 425 on IPv6, where the model's reply cannot be read", testPASV},
		{"FTPHandler.ftp_EPSV", "command: 229; 522 for the other protocol; ALL is 220, then 501 for PASV, PORT and EPRT", "pi.Standard[EPSV]", "code", different,
			"ALL is 200, which is what clients know; it ends with the login", testEPSV},
	}
}

func testUSER(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		c := s.greeted()
		c.says("USER", "501", "USER dev", "331", "USER nobody-at-all", "331", "USER dev", "331", "PASS "+password, "230",
			"USER other", "331", "PWD", "530", "PASS "+password, "530", "PASS "+password, "503")
	})
}

func testPASS(t *testing.T) {
	long := strings.Repeat("words ", 15)
	set := func(c *edge.Config) {
		told, talk := dev(t), dev(t)
		told.Name, told.MsgLogin, talk.Name, talk.MsgLogin = "told", "Hello, told.", "talk", long
		c.Policies[0] = known(t, dev(t), told, talk)
	}
	f := file{top: fmt.Sprintf(`users:
  list:
    - { name: dev, password_hash: @HASH@ }
    - { name: told, password_hash: @HASH@, msg_login: "Hello, told." }
    - { name: talk, password_hash: @HASH@, msg_login: %q }
`, long)}
	both(t, set, f, func(s *site) {
		c := s.greeted()
		c.says("PASS x", "503", "USER dev", "331", "PASS", "530", "PASS "+password, "503", "USER dev", "331", "PASS "+password, "230", "PASS x", "503",
			"USER told", "331", "PASS "+password, "230 Hello, told.", "USER talk", "331")
		if r := c.ask("PASS " + password); r.Code != 230 || len(r.Lines) != 2 || r.Lines[0] != long || r.Lines[1] != "" {
			s.Errorf("a long text: %q", r)
		}
	})
}

func testQUIT(t *testing.T) {
	set := func(c *edge.Config) {
		told := dev(t)
		told.MsgQuit = "So long."
		c.Policies[0] = known(t, told)
	}
	f := file{top: "users: { list: [{ name: dev, password_hash: @HASH@, perm: elradfmwMT, msg_quit: So long. }] }\n"}
	both(t, set, f, func(s *site) {
		c := s.greeted()
		c.says("QUIT x", "501", "QUIT", "221 Goodbye.")
		c.closed()
		c = s.binary()
		conn, err := c.Begin(userpi.EPSV, "STOR a")
		s.must(err)
		c.must(c.Send("QUIT\r\nDELE a"))
		_, err = conn.Write([]byte("content"))
		s.must(err)
		s.must(userpi.End(conn))
		c.next("226")
		c.next("221 So long.")
		c.closed()
		s.holds("a", "content")
	})
}

func testPORT(t *testing.T) {
	both(t, func(c *edge.Config) { c.Listeners[0].Active.Wait = 300 * time.Millisecond }, file{listener: "active: { enabled: true, timeout: 300ms }"}, func(s *site) {
		s.write("a", "content")
		c := s.greeted()
		c.says("PORT 127,0,0,1,100,100", "530")
		c.enter()
		c.says("PORT", "501", "PORT 1,2,3", "501", "PORT 127,0,0,1,300,1", "501", "PORT 127,0,0,2,100,100", "501", "PORT 127,0,0,1,0,80", "501")
		if got, err := c.Get(userpi.PORT, "RETR a"); err != nil || string(got) != "content" {
			s.Errorf("got %q, %v", got, err)
		}
		nobody := netip.AddrPortFrom(loopback(), free(s.T, 1)[0])
		c.says("PORT "+userpi.FormatPort(net.TCPAddrFromAddrPort(nobody)), "200", "RETR a", "150")
		c.next("425")
		c.says("EPSV ALL", "200", "PORT 127,0,0,1,100,100", "501")
	})
	program(t, file{listener: "active: {}"}).login().says("PORT 127,0,0,1,100,100", "502")
}

func testEPRT(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "content")
	c := s.greeted()
	c.says("EPRT |1|127.0.0.1|9000|", "530")
	c.enter()
	if got, err := c.Get(userpi.EPRT, "RETR a"); err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
	c.says("EPRT", "501", "EPRT |1|127.0.0.1|", "501", "EPRT |1|127.0.0.1|99999|", "501", "EPRT |2|::1|9000|", "522 *(1)*", "EPRT |3|127.0.0.1|9000|", "522 *(1)*",
		"EPRT !1!127.0.0.1!9000!", "200", "EPRT |1|127.0.0.2|9000|", "501", "EPRT |1|127.0.0.1|80|", "501", "EPSV ALL", "200", "EPRT |1|127.0.0.1|9000|", "501")
	six := serve(t, func(c *edge.Config) { c.Listeners[0].Address = "[::1]:0" })
	six.login().says("EPRT |1|127.0.0.1|9000|", "522 *(2)*", "EPRT |2|::1|9000|", "200")
}

func testPASV(t *testing.T) {
	s := serve(t, func(c *edge.Config) { c.Listeners[0].Passive.Wait = time.Second })
	s.write("a", "content")
	c := s.greeted()
	c.says("PASV", "530")
	c.enter()
	first := c.passive("PASV")
	second := c.passive("PASV")
	if conn, err := net.Dial("tcp", first); err == nil {
		if got := drain(conn); got != "" {
			t.Errorf("the first port says %q", got)
		}
		t.Error("the first port is still there")
	}
	conn := dialFrom(t, "127.0.0.1", second)
	c.must(c.Send("RETR a"))
	c.next("125|150")
	if got := drain(conn); got != "content" {
		t.Errorf("got %q", got)
	}
	c.next("226")
	c.says("PASV x", "501", "PASV", "227 *(127,0,0,1,*,*)*", "RETR a", "150")
	c.next("425") // nobody has come
	c.says("NOOP", "200", "RETR a", "425", "EPSV ALL", "200", "PASV", "501")
	six := serve(t, func(c *edge.Config) { c.Listeners[0].Address = "[::1]:0" })
	six.login().says("PASV", "425")
}

func testEPSV(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "content")
	c := s.greeted()
	c.says("EPSV", "530")
	c.enter()
	c.says("EPSV 1", "229 *(|||*|)", "EPSV 2", "522 *(1)*", "EPSV 3", "522 *(1)*", "EPSV x", "501", "EPSV ALL", "200",
		"PASV", "501", "PORT 127,0,0,1,100,100", "501", "EPRT |1|127.0.0.1|9000|", "501")
	if got := c.get("RETR a"); got != "content" {
		t.Errorf("got %q", got)
	}
	c.says("USER dev", "331", "PASS "+password, "230", "PASV", "227")
	six := serve(t, func(c *edge.Config) { c.Listeners[0].Address = "[::1]:0" })
	six.write("a", "content")
	c = six.login()
	c.says("EPSV 1", "522 *(2)*", "EPSV 2", "229")
	if got := c.get("RETR a"); got != "content" {
		t.Errorf("over IPv6: %q", got)
	}
}

// limited is a site whose user has only these permissions.
func limited(t *testing.T, perms string) *site {
	return serve(t, func(c *edge.Config) {
		c.Policies[0] = known(t, users.User{Name: user, PasswordHash: hash(t), Perms: parsePerms(t, perms)})
	})
}
