package dtp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	loopback  = netip.MustParseAddr("127.0.0.1")
	elsewhere = netip.MustParseAddr("127.0.0.2")
)

// patience bounds what a test waits for; it passes only when something is wrong.
const patience = 20 * time.Second

// within returns a context that outlives every test that goes well.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// newPassive returns a passive port on loopback, for the loopback address.
func newPassive(t testing.TB) *Passive {
	t.Helper()
	p, err := Listen(within(t), PassiveConfig{Local: loopback, Peer: loopback, Wait: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// dial connects to a port, from the address from.
func dial(t testing.TB, from netip.Addr, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	d := net.Dialer{Timeout: patience, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	c, err := d.DialContext(within(t), "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// needElsewhere skips where only Linux has the whole of 127/8.
func needElsewhere(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.2 is not an address of this system")
	}
}

// opening is a call of Open under way.
type opening struct {
	conn net.Conn
	err  error
}

// open calls Open in the background.
func open(ctx context.Context, p Port) <-chan opening {
	done := make(chan opening, 1)
	go func() {
		c, err := p.Open(ctx)
		done <- opening{c, err}
	}()
	return done
}

// begin runs a transfer in the background over a new passive port, and returns
// the client's end of the connection.
func begin(t testing.TB, ctx context.Context, tr *Transfer) (*net.TCPConn, <-chan Result) {
	t.Helper()
	p := newPassive(t)
	tr.Port = p
	if tr.Buffers == nil {
		tr.Buffers = new(Buffers)
	}
	if tr.Progress == nil {
		tr.Progress = new(Progress)
	}
	done := make(chan Result, 1)
	go func() { done <- tr.Run(ctx) }()
	return dial(t, loopback, p.Addr()), done
}

// await returns what comes over the channel.
func await[T any](t testing.TB, done <-chan T) T {
	t.Helper()
	select {
	case v := <-done:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came to an end in time")
		panic("unreachable")
	}
}

// file returns a file that holds content, open at its beginning.
func file(t testing.TB, content []byte) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "file"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return f
}

// held returns everything that is in a file.
func held(t testing.TB, f *os.File) []byte {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pattern returns n bytes in which no piece resembles its neighbour.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// wantErr checks that err is target.
func wantErr(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want %v", err, target)
	}
}
