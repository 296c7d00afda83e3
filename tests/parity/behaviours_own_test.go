package parity

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func testAnonymous(t *testing.T) {
	set := func(c *edge.Config) {
		p, err := anonymous.New(anonymous.Config{})
		if err != nil {
			t.Fatal(err)
		}
		c.Policies = append(c.Policies, edge.Slot{Name: "anonymous", Policy: p})
	}
	f := file{top: "users: { list: [{ name: dev, password_hash: @HASH@ }], anonymous: { enabled: true } }\n"}
	both(t, set, f, func(s *site) {
		c := s.greeted()
		c.says("USER Anonymous", "331", "PASS x", "530", "USER anonymous", "331", "PASS", "230", "MKD d", "550", "USER anonymous", "331", "PASS me@example.org", "230")
		if e := s.event("login"); !e.Anonymous {
			s.Errorf("login: %+v", e)
		}
	})
}

func testReinTLS(t *testing.T) {
	s := tlsSite(t, func(c *edge.Config) { c.Listeners[0].Require = edge.TLSData })
	c := s.secured()
	c.says("EPSV", "229", "REIN", "220")
	c.enter()
	c.says("EPSV", "550", "PROT P", "200", "EPSV", "229")
}

func testBeforeLogin(t *testing.T) {
	s := tlsSite(t, nil)
	c := s.greeted()
	c.says("FEAT", "211", "HELP", "214", "NOOP", "200", "SITE HELP", "214", "STAT", "211", "SYST", "215", "STAT /", "530", "PBSZ 0", "503", "PROT P", "503", "PASS x", "503")
	for _, line := range []string{"ABOR", "ALLO 5", "APPE a", "CDUP", "CWD", "MODE S", "PORT 127,0,0,1,100,100", "REIN", "STRU F"} {
		c = s.greeted()
		c.says(line, "530")
		c.must(c.Close())
	}
	c = s.greeted()
	c.says("EPRT |1|127.0.0.1|9000|", "530", "OPTS MLST type;", "530", "SITE CHMOD 600 a", "530", "MFMT 20200101000000 a", "530", "AUTH TLS", "234")
	c.must(c.StartTLS(s.client))
	c.says("PBSZ 0", "200", "PROT P", "200", "USER dev", "331", "QUIT", "221")
}

func testUnknown(t *testing.T) {
	s := serve(t, nil)
	c := s.login()
	c.says("foo bar", "500 FOO *", "SITE foo", "500 *SITE FOO*", "pWd", "257")
}

// The interrupt and synch signals (RFC 854) before a command that is urgent.
func testSignals(t *testing.T) {
	s := serve(t, nil)
	c := s.login()
	for command, want := range map[string]string{"ABOR": "225", "STAT": "211", "QUIT": "221"} {
		c := c
		if command == "QUIT" {
			c = s.login()
		}
		_, err := c.Write([]byte("\xff\xf4\xff\xf2" + command + "\r\n"))
		s.must(err)
		c.next(want)
	}
	c.says("NOOP", "200")
}

func testDualStack(t *testing.T) {
	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Logf("this host has no IPv6, and edgeftp listens on IPv4: %v", err)
	} else {
		l.Close()
	}
	s := serve(t, func(c *edge.Config) { c.Listeners[0].Address = ":0" })
	s.addrs[0] = net.JoinHostPort("127.0.0.1", netip.MustParseAddrPort(s.addrs[0]).String()[strings.LastIndexByte(s.addrs[0], ':')+1:])
	s.write("a", "content")
	c := s.binary()
	if got := c.numbers(); got != "127.0.0.1" {
		t.Errorf("PASV tells %s", got)
	}
	for _, mode := range []userpi.Mode{userpi.PASV, userpi.EPSV, userpi.PORT, userpi.EPRT} {
		if got, err := c.Get(mode, "RETR a"); err != nil || string(got) != "content" {
			t.Errorf("mode %d: %q, %v", mode, got, err)
		}
	}
	c.says("EPRT |2|::1|9000|", "522 *(1)*")
}

func testOverride(t *testing.T) {
	set := func(c *edge.Config) {
		c.Policies[0] = known(t, users.User{Name: user, PasswordHash: hash(t), Perms: policy.PermReadOnly, Rules: []policy.PathRule{
			{Dir: "/in", Perms: parsePerms(t, "elm")}, {Dir: "/tree", Perms: parsePerms(t, "elm"), Recursive: true}, {Dir: "/tree/shut", Perms: 0}}})
	}
	f := file{top: `users:
  list:
    - name: dev
      password_hash: @HASH@
      perm: elr
      rules: [{ dir: /in, perm: elm }, { dir: /tree, perm: elm, recursive: true }, { dir: /tree/shut, perm: "" }]
`}
	both(t, set, f, func(s *site) {
		for _, d := range []string{"in/below", "tree/below", "tree/shut/deep"} {
			s.mkdir(d)
		}
		s.login().says("MKD d", "550", "MKD in/d", "257", "MKD in/below/d", "550", "MKD tree/d", "257", "MKD tree/below/d", "257", "CWD tree/shut", "550", "MKD tree/shut/d", "550",
			"MKD tree/shut/deep/d", "257")
	})
}

func testOrder(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		c := s.greeted()
		c.says("USER dev", "331", "PASS wrong", "530")
		c.enter()
		c.says("TYPE I", "200")
		c.put("STOR a", "x")
		c.get("RETR a")
		c.says("REIN", "220")
		c.enter()
		c.says("USER dev", "331", "PASS "+password, "230", "QUIT", "221")
		s.told(1, "connect", "login_failed", "login", "file_received", "file_sent", "logout", "login", "logout", "login", "logout", "disconnect")
		var last uint64
		for _, e := range s.records() {
			if e.Request <= last {
				s.Errorf("out of order: %+v", e)
			}
			last = e.Request
		}
	})
}

// Connections that are reset at once, ten to each kind of port.
func testVanishing(t *testing.T) {
	s := serve(t, func(c *edge.Config) { c.Limits.SessionsPerIP = -1 })
	s.write("a", "content")
	c := s.binary()
	addr := c.passive("EPSV")
	vanish := func(to, from string) {
		s.must(userpi.Reset(dialFrom(t, from, to)))
	}
	for range 10 {
		vanish(s.addrs[0], "127.0.0.1")
		vanish(addr, "127.0.0.2")
	}
	data := dialFrom(t, "127.0.0.1", addr)
	c.says("RETR a", "125|150")
	if got := drain(data); got != "content" {
		t.Errorf("got %q", got)
	}
	c.next("226")
	s.login().says("NOOP", "200")
	until(t, "they are forgotten", func() bool { return s.srv.Status().Sessions == 2 })
}

func testUnixMode(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "x")
	s.login().says("SITE CHMOD 604 a", "200", "OPTS MLST unix.mode;", "200", "MLST a", "250  unix.mode=0604; /a")
}

// A login that waits for its filesystem does not hold up others.
func testBlocked(t *testing.T) {
	var once sync.Once
	waiting, gate := make(chan struct{}), make(chan struct{})
	s := serve(t, func(c *edge.Config) {
		own := c.FS
		c.Home = func(_ context.Context, who policy.Session, _ policy.Identity) (vfs.FS, func(), error) {
			first := false
			once.Do(func() { first = true })
			if first {
				close(waiting)
				<-gate
			}
			return own, nil, nil
		}
	})
	c := s.greeted()
	c.says("USER dev", "331")
	c.must(c.Send("PASS " + password))
	<-waiting
	s.login().says("MKD d", "257", "QUIT", "221")
	close(gate)
	c.next("230")
}

func testOutside(t *testing.T) {
	outside := t.TempDir()
	s := serve(t, nil)
	s.must(os.WriteFile(outside+"/secret", []byte("0123456789abc"), 0o644))
	s.must(os.Symlink(outside+"/secret", s.path("file")))
	s.must(os.Symlink(outside, s.path("dir")))
	c := s.binary()
	c.says("SIZE file", "550", "MDTM file", "550", "CWD dir", "550", "EPSV", "229", "RETR file", "550", "STOR file", "550", "STOR dir/new", "550", "MKD dir/d", "550", "DELE dir/secret", "550")
	for _, l := range c.lines("MLSD") {
		if strings.Contains(l, "size=13") || strings.Contains(l, "type=dir") {
			t.Errorf("MLSD tells of what is outside: %q", l)
		}
	}
	if data, err := os.ReadFile(outside + "/secret"); string(data) != "0123456789abc" {
		t.Errorf("outside there is %q, %v", data, err)
	}
}
