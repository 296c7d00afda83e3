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

// within fails the test unless do takes as long as a limit has, and less than any of the
// defaults, of which the least is 30 seconds. What begins the limit's time belongs to do.
func within(t *testing.T, what string, limit time.Duration, do func()) {
	t.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took < limit || took > 25*time.Second {
		t.Errorf("%s took %v", what, took)
	}
}

// Limits below a second hold. Each has a server, or a listener, to itself: nothing else that
// is done there has to be done in time.
func TestSettingTimeouts(t *testing.T) {
	t.Parallel()
	const limit = 250 * time.Millisecond
	ended := func(c *session) {
		t.Helper()
		_, err := c.Expect("the limit", 421)
		ok(t, err)
		ok(t, c.Closed())
	}
	s := newPlace(t).serve(t, listener()+"limits: { timeouts: { login: 250ms } }\n")
	within(t, "the login limit", limit, func() { ended(s.dial(t)) })
	s.stop(t)
	s = newPlace(t).serve(t, listener()+"limits: { timeouts: { idle: 250ms } }\n")
	within(t, "the idle limit", limit, func() {
		c := s.dial(t)
		ok(t, c.Identify("dev", secret))
		ended(c)
	})
	s.stop(t)

	s = newPlace(t).serve(t, "listeners:\n"+
		"  - { name: a, address: \"127.0.0.1:0\", tls: { control: off }, passive: { timeout: 250ms }, active: { enabled: true, timeout: 250ms } }\n"+
		"  - { name: b, address: \"127.0.0.1:0\", tls: { control: off } }\n"+
		"limits: { timeouts: { transfer_stall: 250ms } }\n")
	noiseFile(t, s.in("file"), 64*mib)
	c := s.login(t)
	unserved := func(c *session) { // for want of a data connection
		ok(t, c.Send("RETR file"))
		for r := must(c.Reply())(t); r.Code != 425 && r.Code != 421; r = must(c.Reply())(t) {
			if r.Code != 150 {
				t.Fatalf("RETR: %s", r)
			}
		}
	}
	var p *userpi.Port
	within(t, "the passive limit", limit, func() {
		p = must(c.Prepare(userpi.EPSV))(t)
		unserved(c)
	})
	if _, err := p.Open(); err == nil {
		t.Error("the passive port is open all the same")
	}
	c = s.login(t)
	within(t, "the active limit", limit, func() {
		c.want(t, "PORT "+userpi.FormatPort(deaf(t)), 200)
		unserved(c)
	})
	for _, line := range []string{"RETR file", "STOR up"} {
		c = s.at(t, 1).login(t)
		within(t, "the stall limit of "+line, limit, func() {
			conn := c.begin(t, line) // and no byte more
			defer conn.Close()
			_, err := c.Expect(line, 426, 421)
			ok(t, err)
		})
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
	if took := time.Since(began); took > 15*time.Second { // by default it would be 18
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
	within(t, "the delay", 200*time.Millisecond, func() {
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
	const rate, large = "256KiB", 8 * mib
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
			noiseFile(t, s.in("large"), large)
			move := func(c *session, up bool, name string, n int64) {
				var err error
				switch {
				case up:
					_, err = c.Put(userpi.EPSV, "STOR "+name, noise(name, n))
				case n == large:
					_, err = c.Get(userpi.EPSV, "RETR large")
				default:
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
			move(all[0], !c.up, "other", large)                   // the other way is free
			if took := time.Since(began); took > 25*time.Second { // else it would be 32
				t.Errorf("the other way took %v", took)
			}
			began = time.Now()
			var group sync.WaitGroup
			for i, one := range all {
				group.Go(func() { move(one, c.up, strconv.Itoa(i), n) })
			}
			group.Wait()
			if took := time.Since(began); took < 800*time.Millisecond || took > time.Minute {
				t.Errorf("what should take a second took %v", took)
			}
			s.stop(t)
		})
	}
}
