//go:build unix

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// told reads messages to a service manager until one has a text.
func told(t *testing.T, conn *net.UnixConn, text string) string {
	t.Helper()
	ok(t, conn.SetReadDeadline(time.Now().Add(readyWithin)))
	b := make([]byte, 4096)
	for {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("waiting for %q: %v", text, err)
		}
		if got := string(b[:n]); strings.Contains(got, text) {
			return got
		}
	}
}

// A service manager is told when the server serves, of each reload from its beginning to
// its end, whatever comes of it, that it lives, and that it ends; all from within the
// sandbox.
func TestNotify(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	socket := filepath.Join(filepath.Dir(p.root), "notify")
	conn := must(net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}))(t)
	defer conn.Close()
	file := p.out("edgeftp.yaml")
	printed := edgeftp(t, append([]string{"serve", "--print-config"}, p.flags("--tls", "off", "--user", "dev", "--password-file", passwordFile(t, p))...)...)
	ok(t, os.WriteFile(file, []byte(printed.stdout), 0o600))
	p.env = append(p.env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=400000")
	s := startServer(t, p, "--config", file)
	if got := told(t, conn, "READY=1"); !regexp.MustCompile(`^READY=1\nSTATUS=serving; 0 sessions, 0 transfers; configuration \d+\n$`).MatchString(got) {
		t.Errorf("%q", got)
	}
	told(t, conn, "WATCHDOG=1\nSTATUS=serving")
	for _, text := range []string{printed.stdout, "no: configuration\n"} {
		ok(t, os.WriteFile(file, []byte(text), 0o600))
		ok(t, s.cmd.Process.Signal(syscall.SIGHUP))
		if got := told(t, conn, "RELOADING=1"); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=\d+\n`).MatchString(got) {
			t.Errorf("%q", got)
		}
		told(t, conn, "READY=1\nSTATUS=serving")
	}
	s.signal(t)
	told(t, conn, "STOPPING=1\nSTATUS=draining")
	if code := s.wait(t, stopWithin); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A manager that is not there is told of before anything is opened.
func TestNotifyNobody(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.env = append(p.env, "NOTIFY_SOCKET="+p.out("nobody"))
	s := launch(t, p, p.flags()...)
	if code := s.wait(t, readyWithin); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if log := s.log.String(); !strings.Contains(log, "NOTIFY_SOCKET") {
		t.Error(log)
	}
}

func passwordFile(t *testing.T, p place) string {
	t.Helper()
	file := p.out("password")
	ok(t, os.WriteFile(file, []byte("correct-horse\n"), 0o600))
	return file
}
