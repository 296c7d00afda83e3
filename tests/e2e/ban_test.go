package e2e

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// from connects from another address of this machine, and reads the first reply.
func (s *server) from(t *testing.T, ip string) (*session, userpi.Reply) {
	t.Helper()
	d := net.Dialer{Timeout: userpi.Timeout, LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	c := userpi.New(must(d.Dial("tcp", s.addr))(t))
	t.Cleanup(func() { c.Close() })
	return &session{c}, must(c.Reply())(t)
}

// guess fails to log in.
func (c *session) guess(t *testing.T, times int) {
	t.Helper()
	for range times {
		c.want(t, "USER dev", 331)
		c.want(t, "PASS guess", 530)
	}
}

type defence struct {
	Bans []struct {
		Who, Why, By string
		Until        time.Time
		Times        int
	}
	Watched []struct {
		Who    string
		Points int
	}
	Denied, Banned uint64
}

// defence asks edgeftp ban.
func (s *server) defence(t *testing.T, args ...string) (d defence) {
	t.Helper()
	r := s.admin(t, append([]string{"ban", "-o", "json"}, args...)...)
	if r.code != 0 {
		t.Fatalf("ban %q: exit code %d\n%s", args, r.code, r.both())
	}
	ok(t, json.Unmarshal([]byte(r.stdout), &d))
	return d
}

// Whoever guesses is banned, and so is he by the next server; others are served. The
// operator sees it, takes it back, and bans by hand.
func TestBan(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	conf := plain() + "limits: { logins: { attempts: 0, delay_after_failure: 0 } }\ndefender: { score: 30, ban: 1h, deny: [127.9.0.0/16], allow: [127.9.1.1, 127.0.0.1] }\n"
	s := p.serve(t, conf)
	guesser, _ := s.from(t, "127.0.7.1")
	guesser.guess(t, 2)
	if d := s.defence(t); len(d.Bans) != 0 || len(d.Watched) != 1 || d.Watched[0].Who != "127.0.7.1/32" || d.Watched[0].Points != 20 {
		t.Errorf("after two guesses: %+v", d)
	}
	guesser.guess(t, 1)
	s.expect(t, `"msg":"banned"`, "127.0.7.1/32")
	banned := func(ip string, want bool) {
		t.Helper()
		if _, r := s.from(t, ip); r.Is(421) != want {
			t.Errorf("%s is told %v", ip, r)
		}
	}
	banned("127.0.7.1", true)
	banned("127.0.7.2", false)
	banned("127.9.1.2", true)
	banned("127.9.1.1", false)
	d := s.defence(t, "list")
	if len(d.Bans) != 1 || d.Bans[0].Who != "127.0.7.1/32" || d.Bans[0].By != "score" || d.Bans[0].Times != 1 || d.Banned != 1 || d.Denied != 1 ||
		time.Until(d.Bans[0].Until) < 50*time.Minute {
		t.Errorf("after three guesses: %+v", d)
	}
	free, _ := s.from(t, "127.0.0.1")
	free.guess(t, 5)
	banned("127.0.0.1", false)
	s.stop(t)

	s = p.serve(t, conf) // which remembers
	banned("127.0.7.1", true)
	if d := s.defence(t, "rm", "127.0.7.1"); len(d.Bans) != 0 {
		t.Errorf("after rm: %+v", d)
	}
	banned("127.0.7.1", false)
	if r := s.admin(t, "ban", "add", "127.0.8.0/24", "--for", "2h", "--why", "they know"); r.code != 0 || !strings.Contains(r.stdout, "127.0.8.0/24") || !strings.Contains(r.stdout, "they know") {
		t.Errorf("ban add: %d\n%s", r.code, r.both())
	}
	banned("127.0.8.77", true)
	for want, args := range map[string][]string{"is not banned": {"rm", "127.0.8.1"}, "everybody": {"add", "0.0.0.0/0"}, "no network": {"add", "home"},
		"has no unit": {"add", "127.0.9.1", "--for", "5"}, "allow list": {"add", "127.0.0.1"}} {
		if r := s.admin(t, append([]string{"ban"}, args...)...); r.code == 0 || !strings.Contains(r.stderr, want) {
			t.Errorf("ban %q: %d\n%s", args, r.code, r.both())
		}
	}
	r := s.admin(t, "ban")
	for _, want := range []string{"127.0.8.0/24", "operator", "they know", "Since the start"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("edgeftp ban says nothing of %q:\n%s", want, r.stdout)
		}
	}
	s.stop(t)
}

// A memory that is damaged, or of a later version, is told of and begun anew: the
// server serves.
func TestBanMemoryDamaged(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, plain())
	s.stop(t)
	ok(t, os.WriteFile(filepath.Join(p.state, "defender"), []byte("\x00not what it was"), 0o600))
	s = p.serve(t, plain())
	s.expect(t, "the bans of earlier are lost")
	s.login(t)
	s.stop(t)
}
