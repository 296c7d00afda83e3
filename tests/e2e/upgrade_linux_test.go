package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// upgradable is a configuration of a server that is replaced.
func (p place) upgradable(t *testing.T, banner string) string {
	t.Helper()
	path := p.file(t, "listeners: [{ name: main, address: 127.0.0.1:0, banner: "+banner+", tls: { certificate: dev } }]\n"+
		"bandwidth: { transfer_default: { down: 1MB, up: 1MB } }\ntelemetry: { metrics: { listen: 127.0.0.1:0 } }\n"+
		"users: { list: [{ name: dev, password_hash: @HASH@, perm: elradfmwMT, quota: { bytes: 1GB } }] }\n")
	text := string(must(os.ReadFile(path))(t))
	ok(t, os.WriteFile(path, []byte(strings.Replace(text, "drain_timeout: 5s", "drain_timeout: 1m", 1)), 0o600))
	return path
}

// upgraded starts a server that takes the place of the one before.
func (p place) upgraded(t *testing.T, path string) *server {
	t.Helper()
	s := startServer(t, p, "--config", path, "--take-over")
	s.user, s.password = "dev", secret
	return s
}

// visits connects over and over until stop is closed, and counts those who were not greeted.
func (s *server) visits(stop <-chan struct{}) (visits, failed *atomic.Int64, done <-chan struct{}) {
	visits, failed = new(atomic.Int64), new(atomic.Int64)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			visits.Add(1)
			c, err := userpi.Dial(s.addr)
			if err == nil {
				_, err = c.Expect("greeting", 220)
				c.Close()
			}
			if err != nil {
				failed.Add(1)
			}
		}
	}()
	return visits, failed, ended
}

// Two upgrades in a row while a download and an upload run and others come without end:
// nobody is turned away, no byte is missing, quotas count what the first server stored, and
// each server ends by itself when its sessions have.
func TestUpgradeTwice(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	size := int64(5 * mib)
	want := noiseFile(t, p.in("big"), size)
	first := startServer(t, p, "--config", p.upgradable(t, "first"))
	first.user, first.password = "dev", secret
	stop := make(chan struct{})
	visits, failed, over := first.visits(stop)

	down, up := first.login(t), first.login(t)
	data := down.begin(t, "RETR big")
	put := up.begin(t, "STOR new")
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(put, noise("new", size))
		if err == nil {
			err = userpi.End(put)
		}
		sent <- err
	}()
	got := sha256.New()
	read := func(n int64) {
		t.Helper()
		if _, err := io.CopyN(got, data, n); err != nil {
			t.Fatal(err)
		}
	}
	read(size / 8)
	second := p.upgraded(t, p.upgradable(t, "second"))
	idle := second.login(t)
	read(size / 8)
	down.want(t, "STAT", 211)
	third := p.upgraded(t, p.upgradable(t, "third"))
	if second.addr != first.addr || third.addr != first.addr {
		t.Errorf("they serve at %s, %s and %s", first.addr, second.addr, third.addr)
	}
	if _, r := third.raw(t); !strings.Contains(r.Text(), "third") {
		t.Errorf("after two upgrades: %v", r)
	}
	if r := third.admin(t, "status", "-o", "json"); !strings.Contains(r.stdout, `"pid": `+strconv.Itoa(third.cmd.Process.Pid)) {
		t.Errorf("status: %s", r.both())
	}
	read(size - 2*(size/8))
	if rest, err := io.Copy(got, data); err != nil || rest != 0 {
		t.Errorf("%d bytes too many, %v", rest, err)
	}
	ok(t, userpi.End(data))
	if _, err := down.Expect("RETR", 226); err != nil {
		t.Error(err)
	}
	if digest(got.Sum(nil)) != want {
		t.Error("the download is not what the file is")
	}
	ok(t, <-sent)
	if _, err := up.Expect("STOR", 226); err != nil {
		t.Error(err)
	}
	for _, c := range []*session{down, up} { // they go on as if nothing had been
		c.want(t, "SIZE new", 213)
		c.want(t, "QUIT", 221)
	}
	if code := first.wait(t, stopWithin); code != 0 {
		t.Errorf("the first server ended with %d", code)
	}
	idle.want(t, "MKD of-the-second", 257)
	idle.want(t, "QUIT", 221)
	if code := second.wait(t, stopWithin); code != 0 {
		t.Errorf("the second server ended with %d", code)
	}
	close(stop)
	<-over
	if failed.Load() > 0 || visits.Load() < 10 {
		t.Errorf("%d of %d visitors were not greeted", failed.Load(), visits.Load())
	}
	until(t, "the quota counts what the first server stored", func() bool {
		var a account
		r := p.user(t, "show", "dev", "-o", "json")
		return json.Unmarshal([]byte(r.stdout), &a) == nil && a.Quota != nil && a.Quota.Bytes.Used == size
	})
	if r := edgeftp(t, "audit", "verify", "--state-dir", p.state); r.code != 0 {
		t.Errorf("audit verify: %s", r.both())
	}
	seen := map[string]bool{}
	for _, s := range []*server{first, second, third} {
		for line := range strings.Lines(s.log.String()) {
			var r struct {
				Msg  string
				Sess json.Number
			}
			if json.Unmarshal([]byte(line), &r) != nil || r.Msg != "logged in" {
				continue
			}
			if seen[r.Sess.String()] {
				t.Errorf("session %s is two", r.Sess)
			}
			seen[r.Sess.String()] = true
		}
	}
	t.Logf("%d visitors, all greeted", visits.Load())
	third.stop(t)
	left := must(os.ReadDir(p.state))(t)
	for _, e := range left {
		if strings.Contains(e.Name(), "sock") || strings.HasPrefix(e.Name(), ".next") {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

// A successor that is killed at any moment before it serves changes nothing; behind that
// moment another one begins on what is there.
func TestUpgradeKilled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	now := startServer(t, p, "--config", p.upgradable(t, "one"))
	now.user, now.password = "dev", secret
	path := p.out("edgeftp.yaml")
	taken, rounds := 0, 12
	if full() {
		rounds = 60
	}
	for i := range rounds {
		c := now.login(t)
		next := launch(t, p, "--config", path, "--take-over")
		select {
		case <-time.After(time.Duration(i) * 600 * time.Millisecond / time.Duration(rounds)):
		case <-next.ended:
			t.Fatalf("it has ended by itself: %s", next.log)
		}
		next.kill()
		c.want(t, "NOOP", 200) // whatever became of the other one
		c.want(t, "QUIT", 221)
		if !strings.Contains(now.log.String(), "another process has taken the server's place") {
			c = now.login(t)
			c.put(t, "STOR f", strings.NewReader("content"))
			c.want(t, "QUIT", 221)
			if r := now.admin(t, "logs", "level", "info"); r.code != 0 {
				t.Errorf("round %d: nothing can be changed: %s", i, r.both())
			}
			continue
		}
		taken++
		if code := now.wait(t, stopWithin); code != 0 {
			t.Errorf("round %d: the server that was replaced ended with %d", i, code)
		}
		now = p.upgraded(t, path)
	}
	if r := edgeftp(t, "audit", "verify", "--state-dir", p.state); r.code != 0 {
		t.Errorf("audit verify: %s", r.both())
	}
	t.Logf("%d of %d were killed when they served", taken, rounds)
	now.stop(t)
}

// What could not serve says why, and takes nobody's place.
func TestUpgradeBroken(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := startServer(t, p, "--config", p.upgradable(t, "one"))
	s.user, s.password = "dev", secret
	path := p.out("edgeftp.yaml")
	good := string(must(os.ReadFile(path))(t))
	ok(t, os.WriteFile(p.out("none.wasm"), []byte("<html>"), 0o600))
	for _, c := range []struct {
		text, want string
		code       int
	}{
		{strings.Replace(good, "banner:", "baner:", 1), `did you mean "banner"?`, 3},
		{good + "policies: { modules: [{ name: none, source: \"" + p.out("none.wasm") + "\" }] }\n", "the one that runs goes on", 3},
		{strings.Replace(good, "}]\nbandwidth", "}, { name: other, address: \"192.0.2.1:2121\", tls: { certificate: dev } }]\nbandwidth", 1), "this machine does not have that address", 1},
	} {
		ok(t, os.WriteFile(path, []byte(c.text), 0o600))
		next := launch(t, p, "--config", path, "--take-over")
		if code := next.wait(t, readyWithin); code != c.code || !strings.Contains(next.log.String(), c.want) {
			t.Errorf("exit code %d, want %d and %q: %s", code, c.code, c.want, next.log)
		}
		v := s.login(t)
		v.want(t, "QUIT", 221)
		if r := s.admin(t, "logs", "level", "info"); r.code != 0 {
			t.Errorf("after %q nothing can be changed: %s", c.want, r.both())
		}
	}
	if r := edgeftp(t, "audit", "verify", "--state-dir", p.state); r.code != 0 {
		t.Errorf("audit verify: %s", r.both())
	}
	if log := s.log.String(); strings.Contains(log, `"ERROR"`) || strings.Count(log, "has not taken the server's place") != 2 {
		t.Error("it does not go on as before")
	}
	// Without the flag it is another server on the same state.
	ok(t, os.WriteFile(path, []byte(good), 0o600))
	next := launch(t, p, "--config", path)
	if code := next.wait(t, readyWithin); code != 1 || !strings.Contains(next.log.String(), "--take-over") {
		t.Errorf("exit code %d: %s", code, next.log)
	}
	s.stop(t)
}

// A server that root has started, and that has become another user, is replaced by the next
// that root starts.
func TestUpgradeAsAnother(t *testing.T) {
	t.Parallel()
	p := strangers(t)
	path := p.becoming(t, "listeners: [{ name: main, address: 127.0.0.1:0, tls: { control: off } }]\n")
	ok(t, os.Chmod(path, 0o644))
	first := startServer(t, p, "--config", path)
	first.user, first.password, first.plain = "dev", secret, true
	c := first.login(t)
	second := p.upgraded(t, path)
	second.plain = true
	if second.addr != first.addr {
		t.Errorf("it serves at %s", second.addr)
	}
	v := second.login(t)
	v.put(t, "STOR a", strings.NewReader("content"))
	v.want(t, "QUIT", 221)
	c.put(t, "STOR b", strings.NewReader("content"))
	c.want(t, "QUIT", 221)
	if code := first.wait(t, stopWithin); code != 0 {
		t.Errorf("the first server ended with %d", code)
	}
	if r := edgeftp(t, "audit", "verify", "--state-dir", p.state); r.code != 0 {
		t.Errorf("audit verify: %s", r.both())
	}
	second.stop(t)
}
