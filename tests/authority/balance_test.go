package authority_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// sayer is a server that says its name and ends.
func sayer(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(name))
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// hear returns what a server says.
func hear(t *testing.T, addr string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

func TestBalance(t *testing.T) {
	t.Parallel()
	targets := []string{sayer(t, "one"), sayer(t, "two"), ports.Addr(t)}
	b := authority.Balance(t, 0, targets...)
	heard := ""
	for range 6 {
		heard += hear(t, b.Addr) + " "
	}
	if heard != "one two  one two  " {
		t.Errorf("heard %q", heard)
	}
	if got := b.Answered(); got[targets[0]] != 2 || got[targets[1]] != 2 || got[targets[2]] != 0 {
		t.Errorf("answered: %v", got)
	}
	if got := b.Failed(); got[targets[2]] != 2 || len(got) != 1 {
		t.Errorf("failed: %v", got)
	}
}

// Close ends connections on which nobody says anything.
func TestBalanceClose(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	b := authority.Balance(t, 0, silent.Addr().String())
	conn, err := net.Dial("tcp", b.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	carried, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = carried.Close() }()
	begin := time.Now()
	b.Close()
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
}
