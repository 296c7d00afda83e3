package e2e

import (
	"crypto/sha256"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// running starts a download and reads a part of it, so that the rest waits for
// its reader. A file of more than the sockets' buffers is needed.
func (s *server) running(t *testing.T) (c *session, data net.Conn, want digest) {
	t.Helper()
	want = noiseFile(t, s.in("big"), max(bulk(), 32*mib))
	c = s.login(t)
	data = c.begin(t, "RETR big")
	return c, data, want
}

// closed waits until nobody can connect any more.
func (s *server) closed(t *testing.T) {
	t.Helper()
	until(t, "the listener is closed", func() bool {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// One SIGTERM: nobody new, idle sessions are told, what runs ends well.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := start(t)
	idle := s.login(t)
	c, data, want := s.running(t)
	up := s.login(t)
	body := noise("up", bulk())
	to := up.begin(t, "STOR up")
	up.half(t, to, body, bulk())
	s.signal(t)
	s.closed(t)
	if _, err := idle.Expect("the end", 421); err != nil {
		t.Error(err)
	}
	s.alive(t)
	got := sha256.New()
	_, err := io.Copy(got, data)
	ok(t, err)
	data.Close()
	if digest(got.Sum(nil)) != want {
		t.Error("the download was cut")
	}
	_, err = c.Expect("the download", 226)
	ok(t, err)
	_, err = io.Copy(to, body)
	ok(t, err)
	ok(t, userpi.End(to))
	_, err = up.Expect("the upload", 226)
	ok(t, err)
	if code := s.wait(t, stopWithin); code != 0 {
		t.Errorf("exit code %d", code)
	}
	sameSum(t, "the upload", s.in("up"), sum(t, noise("up", bulk())))
	if _, err := os.Stat(filepath.Join(s.state, "admin.sock")); err == nil {
		t.Error("the admin socket is left")
	}
}

// A transfer that takes longer than the limit is aborted, and that is no failure
// of the server's.
func TestDrainLimit(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	textFile(t, p.out("password"), "a long password")
	config := p.config(t, func(text string) string {
		return setting(t, text, "drain_timeout", "1s")
	}, "--password-file", p.out("password"))
	s := startServer(t, p, "--config", config)
	s.password = "a long password"
	c, data, _ := s.running(t)
	s.signal(t)
	s.closed(t)
	r, err := c.Expect("the limit", 426)
	if err != nil {
		t.Error(r, err)
	}
	data.Close()
	if code := s.wait(t, stopWithin); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The second signal is for those who do not want to wait.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s := start(t)
	c, data, _ := s.running(t)
	s.signal(t)
	s.closed(t)
	s.alive(t)
	s.signal(t)
	code := s.wait(t, stopWithin) // which is shorter than it would wait for the transfer
	t.Logf("exit code %d", code)
	if code < 0 {
		t.Error("the server was killed by the signal instead of ending")
	}
	_ = data.SetReadDeadline(time.Now().Add(userpi.Timeout))
	if n, err := io.Copy(io.Discard, data); err == nil && n >= bulk() {
		t.Error("the download has ended well")
	}
	if r, err := c.Reply(); err == nil && !r.Is(421, 426) {
		t.Errorf("the last word was %q", r)
	}
}

// SIGINT does what SIGTERM does.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	s := start(t)
	ok(t, s.cmd.Process.Signal(os.Interrupt))
	if code := s.wait(t, stopWithin); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
