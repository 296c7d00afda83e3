package e2e

import (
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

func TestSettingSessions(t *testing.T) {
	t.Parallel()
	users := `users:
  list:
    - { name: dev, password_hash: @HASH@ }
    - { name: one, password_hash: @HASH@, max_sessions: 1 }
  anonymous: { enabled: true, max_sessions: 1 }
`
	s := newPlace(t).serve(t, listener()+users+"limits: { sessions: { total: 0, per_ip: 0, per_user: 2 } }\n")
	for _, u := range []struct {
		name string
		most int
	}{{"dev", 2}, {"one", 1}, {"anonymous", 1}} {
		for range u.most {
			s.loginAs(t, u.name, secret)
		}
		c := s.dial(t)
		c.want(t, "USER "+u.name, 331)
		c.want(t, "PASS "+secret, 421)
	}
	s.stop(t)

	for _, limits := range []string{"total: 2", "per_ip: 2"} {
		s := newPlace(t).serve(t, listener()+"limits: { sessions: { "+limits+" } }\n")
		s.dial(t)
		last := s.dial(t)
		c, greeting := s.raw(t)
		if greeting.Code != 421 {
			t.Errorf("%s: the third session is greeted %s", limits, greeting)
		}
		ok(t, c.Closed())
		last.want(t, "QUIT", 221)
		until(t, "another session may begin", func() bool {
			_, greeting := s.raw(t)
			return greeting.Code == 220
		})
		s.stop(t)
	}
}

// within fails the test unless do takes between a tenth of a second and five.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took < 100*time.Millisecond || took > 5*time.Second {
		t.Errorf("%s took %v", what, took)
	}
}

// Limits below a second hold.
func TestSettingTimeouts(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, "listeners:\n"+
		"  - { name: a, address: \"127.0.0.1:0\", tls: { control: off }, passive: { timeout: 250ms }, active: { enabled: true, timeout: 250ms } }\n"+
		"limits: { timeouts: { idle: 400ms, login: 250ms, transfer_stall: 250ms } }\n")
	noiseFile(t, s.in("file"), 64*mib)
	ended := func(c *session) {
		t.Helper()
		_, err := c.Expect("the limit", 421)
		ok(t, err)
		ok(t, c.Closed())
	}
	c := s.dial(t)
	within(t, "the login limit", func() { ended(c) })
	c = s.login(t)
	within(t, "the idle limit", func() { ended(c) })

	c = s.login(t)
	p := must(c.Prepare(userpi.EPSV))(t)
	within(t, "the passive limit", func() {
		ok(t, c.Send("RETR file"))
		_, err := c.Expect("RETR", 150)
		ok(t, err)
		_, err = c.Expect("nobody's connection", 421, 425)
		ok(t, err)
	})
	if _, err := p.Open(); err == nil {
		t.Error("the passive port is open all the same")
	}
	c = s.login(t)
	within(t, "the active limit", func() {
		c.want(t, "PORT "+userpi.FormatPort(deaf(t)), 200)
		ok(t, c.Send("RETR file"))
		for r := must(c.Reply())(t); r.Code != 425 && r.Code != 421; r = must(c.Reply())(t) {
			if r.Code != 150 {
				t.Fatalf("RETR: %s", r)
			}
		}
	})
	for _, line := range []string{"RETR file", "STOR up"} {
		c = s.login(t)
		conn := c.begin(t, line) // and no byte more
		within(t, "the stall limit of "+line, func() {
			_, err := c.Expect(line, 426, 421)
			ok(t, err)
		})
		conn.Close()
	}
	s.stop(t)
}

// deaf is an address that does not answer: a listener whose queue is full.
func deaf(t *testing.T) net.Addr {
	t.Helper()
	fd := must(syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0))(t)
	syscall.CloseOnExec(fd)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	ok(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	ok(t, syscall.Listen(fd, 0))
	sa, isIPv4 := must(syscall.Getsockname(fd))(t).(*syscall.SockaddrInet4)
	if !isIPv4 {
		t.Fatal("no address")
	}
	addr := &net.TCPAddr{IP: net.IP(sa.Addr[:]), Port: sa.Port}
	for range 16 {
		c, err := net.DialTimeout("tcp", addr.String(), 200*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	cannot(t, "the queue of a listener does not fill here")
	return nil
}

// Zero is no limit.
func TestSettingNoTimeouts(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, "listeners:\n"+
		"  - { name: a, address: \"127.0.0.1:0\", tls: { control: off }, passive: { timeout: 0 }, active: { enabled: true, timeout: 0s } }\n"+
		"limits: { timeouts: { idle: 0, login: 0, transfer_stall: 0 }, logins: { attempts: 0, delay_after_failure: 0 } }\n")
	ok(t, os.WriteFile(s.in("file"), []byte("content"), 0o644))
	c := s.dial(t)
	began := time.Now()
	for range 6 {
		c.want(t, "USER dev", 331)
		c.want(t, "PASS wrong", 530)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("six failures took %v", took)
	}
	ok(t, c.Identify("dev", secret))
	for _, mode := range []userpi.Mode{userpi.EPSV, userpi.PORT} {
		if got := string(must(c.Get(mode, "RETR file"))(t)); got != "content" {
			t.Errorf("mode %d got %q", mode, got)
		}
	}
	s.stop(t)
}

func TestSettingLogins(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, listener()+"limits: { logins: { attempts: 2, delay_after_failure: 200ms, parallel: 1 } }\n")
	c := s.dial(t)
	within(t, "the delay", func() {
		c.want(t, "USER dev", 331)
		c.want(t, "PASS wrong", 530)
	})
	c.want(t, "USER dev", 331)
	c.want(t, "PASS wrong", 530)
	ok(t, c.Closed())
	s.stop(t)
}

func TestSettingUsers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, dir := range []string{"pub", "in", "in/deep", "secret"} {
		ok(t, os.Mkdir(p.in(dir), 0o755))
	}
	s := p.serve(t, listener()+`users:
  list:
    - name: dev
      password_hash: @HASH@
      home: /pub
      max_file_size: 4B
      rules: [{ dir: /in, perm: elw }, { dir: /secret, perm: "", recursive: true }]
    - { name: gone, password_hash: @HASH@, expires: 2020-01-31 }
    - { name: here, password_hash: @HASH@, expires: 2999-12-31T23:59:59Z, perm: elradfmwMT }
  anonymous: { enabled: true, perm: elw, allow_write: true, home: /in }
`)
	c := s.login(t)
	if r := c.want(t, "PWD", 257); !strings.Contains(r.Text(), `"/pub"`) {
		t.Errorf("the session begins in %s", r)
	}
	c.refused(t, "STOR /pub/a", 550) // a user may read, unless the file says more
	c.put(t, "STOR /in/a", strings.NewReader("1234"))
	conn := c.begin(t, "STOR /in/large")
	_, err := conn.Write([]byte("12345"))
	ok(t, err)
	ok(t, userpi.End(conn))
	_, err = c.Expect("a file that is too large", 552)
	ok(t, err)
	c.want(t, "CWD /secret", 550)
	c.refused(t, "STOR /in/deep/a", 550)
	gone := s.dial(t)
	gone.want(t, "USER gone", 331)
	gone.want(t, "PASS "+secret, 530)
	s.loginAs(t, "here", secret).put(t, "STOR /pub/a", strings.NewReader("x"))
	anybody := s.loginAs(t, "anonymous", "x")
	anybody.put(t, "STOR b", strings.NewReader("x"))
	anybody.refused(t, "RETR b", 550)
	if _, err := os.Stat(s.in("in", "b")); err != nil {
		t.Error(err)
	}
	s.stop(t)
}

func TestSettingRoots(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, dir := range []string{"own", "own/inner", "homes", "homes/tmpl", "homes/dev", "anybody"} {
		ok(t, os.Mkdir(p.out(dir), 0o755))
	}
	ok(t, os.Symlink(p.out("homes"), p.out("own/leads-out")))
	s := p.serve(t, listener()+`users:
  defaults: { root: "homes/${user}", perm: elradfmwMT }
  list:
    - { name: dev, password_hash: @HASH@ }
    - { name: tmpl, password_hash: @HASH@ }
    - { name: own, password_hash: @HASH@, root: own }
    - { name: inner, password_hash: @HASH@, root: own/inner }
    - { name: shared, password_hash: @HASH@, root: ../root }
  anonymous: { enabled: true, root: anybody }
`)
	for user, dir := range map[string]string{"dev": p.out("homes", "dev"), "tmpl": p.out("homes", "tmpl"), "own": p.out("own"),
		"inner": p.out("own", "inner"), "shared": p.root} {
		c := s.loginAs(t, user, secret)
		if r := c.want(t, "PWD", 257); !strings.Contains(r.Text(), `"/"`) {
			t.Errorf("%s begins in %s", user, r)
		}
		c.put(t, "STOR "+user, strings.NewReader(user))
		if data, err := os.ReadFile(dir + "/" + user); string(data) != user {
			t.Errorf("the file of %s: %q, %v", user, data, err)
		}
	}
	c := s.loginAs(t, "own", secret)
	c.want(t, "CWD leads-out", 550)
	c.want(t, "SIZE inner/inner", 213)
	if got := string(s.loginAs(t, "anonymous", "x").get(t, "NLST")); got != "" {
		t.Errorf("the anonymous tree holds %q", got)
	}
	s.stop(t)
}

// Each limit of bandwidth slows down what is under it, and nothing else.
func TestSettingBandwidth(t *testing.T) {
	t.Parallel()
	const rate = "256KiB"
	for name, c := range map[string]struct {
		conf, user string
		sessions   int  // that transfer at once
		each       bool // the limit is of each of them
		up         bool
	}{
		"server":   {"bandwidth: { global: { down: " + rate + " } }", "dev", 2, false, false},
		"listener": {"bandwidth: { listener: { main: { up: " + rate + "/s } } }", "dev", 2, false, true},
		"user":     {"bandwidth: { user_default: { down: " + rate + " } }", "dev", 2, false, false},
		"own":      {"bandwidth: { user_default: { up: 1KiB } }", "own", 2, false, true},
		"session":  {"bandwidth: { session_default: { down: " + rate + " } }", "dev", 2, true, false},
		"transfer": {"bandwidth: { transfer_default: { up: " + rate + " } }", "dev", 2, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPlace(t).serve(t, listener()+c.conf+`
users:
  list:
    - { name: dev, password_hash: @HASH@, perm: elradfmwMT }
    - { name: own, password_hash: @HASH@, perm: elradfmwMT, bandwidth: { up: `+rate+` } }
`)
			n := int64(256 << 10)
			if !c.each {
				n /= int64(c.sessions)
			}
			noiseFile(t, s.in("down"), n)
			move := func(c *session, up bool, name string) {
				var err error
				if up {
					_, err = c.Put(userpi.EPSV, "STOR "+name, noise(name, n))
				} else {
					_, err = c.Get(userpi.EPSV, "RETR down")
				}
				if err != nil {
					t.Error(err)
				}
			}
			var all []*session
			for range c.sessions {
				all = append(all, s.loginAs(t, c.user, secret))
			}
			began := time.Now()
			move(all[0], !c.up, "other") // the other way is free
			if took := time.Since(began); took > 700*time.Millisecond {
				t.Errorf("the other way took %v", took)
			}
			began = time.Now()
			var group sync.WaitGroup
			for i, one := range all {
				group.Go(func() { move(one, c.up, strconv.Itoa(i)) })
			}
			group.Wait()
			if took := time.Since(began); took < 800*time.Millisecond || took > 8*time.Second {
				t.Errorf("what should take a second took %v", took)
			}
			s.stop(t)
		})
	}
}
