package acme

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/tests/authority"
)

func TestMain(m *testing.M) {
	if err := authority.Prepare(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(authority.Residue))
}

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

// trust returns a pool with the certificates of a PEM file.
func trust(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatalf("%s holds no certificate", file)
	}
	return pool
}

// shake does one handshake over loopback.
func shake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	b, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return shakeOver(a, b, server, client)
}

// started returns both ends of a connection after the handshake.
func started(t *testing.T, server, client *tls.Config) (srv, cli *tls.Conn) {
	t.Helper()
	a, b := net.Pipe()
	srv, cli = tls.Server(a, server), tls.Client(b, client)
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	done := make(chan error, 1)
	go func() { done <- srv.Handshake() }()
	must(t, cli.Handshake())
	go func() { _, _ = srv.Write([]byte("x")) }() // behind the tickets
	if _, err := cli.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	must(t, <-done)
	return srv, cli
}

// shakeOver does one handshake and reads one byte, so that the tickets of TLS
// 1.3 have arrived. It closes both ends. An unbuffered pipe will do only where
// the handshake succeeds.
func shakeOver(a, b net.Conn, server, client *tls.Config) (tls.ConnectionState, error) {
	srv, cli := tls.Server(a, server), tls.Client(b, client)
	done := make(chan error, 1)
	go func() {
		_, err := srv.Write([]byte("x"))
		done <- err
	}()
	_, err := cli.Read(make([]byte, 1))
	state := cli.ConnectionState()
	_ = b.Close()
	<-done
	_ = a.Close()
	return state, err
}

// write puts data in a file of the test's own folder.
func write(t *testing.T, name string, data []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// soon waits for what happens in a goroutine of the manager.
func soon(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(30 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("it does not happen")
		}
	}
}
