//go:build unix

package manager

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen is a service manager that reads.
func listen(t *testing.T) *net.UnixConn {
	t.Helper()
	dir, err := os.MkdirTemp("", "m") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

func message(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 4096)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func open(t *testing.T) *Manager {
	t.Helper()
	m, err := Open(slog.New(slog.DiscardHandler))
	if err != nil || m == nil {
		t.Fatalf("%v, %v", m, err)
	}
	t.Cleanup(m.Close)
	return m
}

// What is told is what the manager's protocol has, and no status can add a line of its own.
func TestTell(t *testing.T) {
	conn := listen(t)
	m := open(t)
	m.Ready("serving on\nMAINPID=1\x7f")
	if got := message(t, conn); got != "READY=1\nSTATUS=serving on MAINPID=1 \n" {
		t.Errorf("%q", got)
	}
	m.Reloading()
	got := message(t, conn)
	rest, found := strings.CutPrefix(got, "RELOADING=1\nMONOTONIC_USEC=")
	number, _, _ := strings.Cut(rest, "\n")
	if n, err := strconv.ParseUint(number, 10, 64); !found || err != nil || n == 0 {
		t.Errorf("%q", got)
	}
	m.Stopping("draining " + strings.Repeat("ü", 300))
	if got := message(t, conn); !strings.HasPrefix(got, "STOPPING=1\nSTATUS=draining ü") || len(got) > 250 {
		t.Errorf("%q", got)
	}
	if os.Getenv("NOTIFY_SOCKET") == "" {
		t.Error("who takes over cannot tell anybody")
	}
}

// The watchdog is fed while the server answers, and not while it hangs.
func TestWatch(t *testing.T) {
	conn := listen(t)
	t.Setenv("WATCHDOG_USEC", "40000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	m := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	hang, hangs, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	asked := 0
	go func() {
		defer close(over)
		m.Watch(ctx, func() string {
			if asked++; asked == 3 {
				close(hangs)
				<-hang
			}
			return strconv.Itoa(asked)
		})
	}()
	for i := range 2 {
		if got, want := message(t, conn), "WATCHDOG=1\nSTATUS="+strconv.Itoa(i+1)+"\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	<-hangs
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes came of a server that hangs", n)
	}
	close(hang)
	message(t, conn)
	cancel()
	<-over
}

// Without a manager nothing is told, and one that is not there is an error.
func TestNone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m, err := Open(slog.New(slog.DiscardHandler))
	if m != nil || err != nil {
		t.Fatalf("%v, %v", m, err)
	}
	m.Ready("x")
	m.Reloading()
	m.Stopping("x")
	m.Watch(t.Context(), nil)
	m.Close()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	if _, err := Open(slog.New(slog.DiscardHandler)); err == nil {
		t.Error("nobody is there, and it is no error")
	}
}
