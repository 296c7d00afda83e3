package bridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func connect(t *testing.T, c *userpi.Client, port userpi.Reply) net.Conn {
	t.Helper()
	addr, err := userpi.Address(port, c.Conn().RemoteAddr())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// half begins a download and reads a part of it.
func half(t *testing.T, c *userpi.Client, name string) (net.Conn, *bytes.Buffer) {
	t.Helper()
	conn, err := c.Begin(userpi.EPSV, "RETR "+name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil { // the machine may be busy
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := io.CopyN(&got, conn, 2<<20); err != nil {
		t.Fatal(err)
	}
	return conn, &got
}

// A download goes on over another connection, twice, and the client does not notice; what
// held for the session holds again.
func TestDownloadGoesOn(t *testing.T) {
	r := start(t, nil)
	if err := r.files.Mkdir("/d"); err != nil {
		t.Fatal(err)
	}
	want := r.put("/d/big.bin", 32<<20)
	c := r.client()
	must(t, c, "TYPE I", 200)
	must(t, c, "CWD d", 250)
	must(t, c, "REST 1000", 350)
	conn, got := half(t, c, "big.bin")
	for range 2 {
		r.cut(false)
		if _, err := io.CopyN(got, conn, 6<<20); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(got, conn); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect("RETR", 226); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(got.Bytes(), want[1000:]) {
		t.Errorf("%d bytes, which are not those of the file", got.Len())
	}
	if reply := must(t, c, "PWD", 257); !strings.Contains(reply.Text(), `"/d"`) {
		t.Error(reply)
	}
	if text := r.log.String(); strings.Count(text, "download goes on") == 0 || !strings.Contains(text, "resumed=") || !strings.Contains(text, "reconnected") {
		t.Errorf("the log:\n%s", text)
	}
}

// A file that has changed meanwhile is not put together of two.
func TestDownloadChanged(t *testing.T) {
	r := start(t, nil)
	r.put("/big.bin", 24<<20)
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn, got := half(t, c, "big.bin")
	r.cut(true)
	other := bytes.Repeat([]byte("x"), 24<<20)
	if err := r.files.WriteFile("/big.bin", other); err != nil {
		t.Fatal(err)
	}
	if err := r.files.Chtimes("/big.bin", time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	r.open()
	if _, err := io.Copy(got, conn); err == nil {
		t.Error("the download has ended as a whole one does")
	}
	reply, err := c.Expect("RETR", 426)
	if err != nil || !strings.Contains(reply.Text(), "changed") {
		t.Error(reply, err)
	}
	must(t, c, "NOOP", 200)
}

// A connection that does not come back ends the download with 426, and the next command with
// the session.
func TestDownloadGivenUp(t *testing.T) {
	r := start(t, func(c *Config, _ *edge.Config) { c.Patience = 300 * time.Millisecond })
	r.put("/big.bin", 24<<20)
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn, got := half(t, c, "big.bin")
	r.cut(true)
	if _, err := io.Copy(got, conn); err == nil {
		t.Error("the download has ended as a whole one does")
	}
	if _, err := c.Expect("RETR", 426); err != nil {
		t.Error(err)
	}
	must(t, c, "NOOP", 421)
	if err := c.Closed(); err != nil {
		t.Error(err)
	}
}

// ABOR while the connection is away.
func TestAbortWhileLost(t *testing.T) {
	r := start(t, nil)
	r.put("/big.bin", 24<<20)
	c := r.client()
	must(t, c, "TYPE I", 200)
	half(t, c, "big.bin")
	r.cut(true)
	r.log.wait(t, "download waits")
	if err := c.Send("ABOR"); err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{426, 226} {
		if _, err := c.Expect("ABOR", code); err != nil {
			t.Fatal(err)
		}
	}
	r.open()
	must(t, c, "PWD", 257)
}

// Uploads with APPE, text and listings do not go on, and the client is told what it can do.
func TestLostOtherwise(t *testing.T) {
	r := start(t, nil)
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn, err := c.Begin(userpi.EPSV, "APPE up.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	r.cut(false)
	reply, err := c.Expect("APPE", 426)
	if err != nil || !strings.Contains(reply.Text(), "REST or APPE") {
		t.Error(reply, err)
	}
	if _, err := r.files.Stat("/up.bin"); err == nil {
		t.Error("a part of a file was published")
	}
	r.put("/big.txt", 24<<20)
	must(t, c, "TYPE A", 200)
	down, got := half(t, c, "big.txt")
	r.cut(false)
	if _, err := io.Copy(got, down); err == nil {
		t.Error("the download has ended as a whole one does")
	}
	if _, err := c.Expect("RETR", 426); err != nil {
		t.Error(err)
	}
	must(t, c, "SIZE big.txt", 550, 213)
}

// An idle session comes back with its next command, but not with another login.
func TestIdleLost(t *testing.T) {
	r := start(t, nil)
	if err := r.files.Mkdir("/d"); err != nil {
		t.Fatal(err)
	}
	c := r.client()
	must(t, c, "CWD d", 250)
	r.cut(false)
	r.log.wait(t, "connection lost")
	if reply := must(t, c, "PWD", 257); !strings.Contains(reply.Text(), `"/d"`) {
		t.Error(reply)
	}
	if err := r.files.Rmdir(vfs.Path("/d")); err != nil {
		t.Fatal(err)
	}
	r.cut(false)
	r.log.waitFor(t, "connection lost", 2)
	must(t, c, "NOOP", 421)
}

// A server that cannot be reached is told to the client in one line.
func TestNoServer(t *testing.T) {
	r := start(t, func(c *Config, _ *edge.Config) {
		c.Dial = func(context.Context) (Link, error) { return nil, errors.New("no answer over UDP\n   = help: none") }
	})
	c, err := userpi.Dial(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if reply, err := c.Expect("the connection", 421); err != nil || !strings.Contains(reply.Text(), "no answer over UDP") {
		t.Error(reply, err)
	}
}

// A server whose process is replaced by another one does not end a download.
func TestServerReplaced(t *testing.T) {
	r := start(t, nil)
	want := r.put("/big.bin", 24<<20)
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn, got := half(t, c, "big.bin")
	before := r.quic
	r.serve() // first: who looks for the server in between would look at a port that nobody has
	end(before)
	if _, err := io.Copy(got, conn); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect("RETR", 226); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	must(t, c, "NOOP", 200)
	r.log.wait(t, "download goes on")
}

// hole is a relay between bridge and server that can be made to lose everything.
type hole struct {
	front *net.UDPConn
	shut  atomic.Bool
}

func (r *rig) hole() *hole {
	r.t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		r.t.Fatal(err)
	}
	back, err := net.DialUDP("udp", nil, r.quic.Addr().(*net.UDPAddr))
	if err != nil {
		r.t.Fatal(err)
	}
	h := &hole{front: front}
	var client atomic.Pointer[net.UDPAddr]
	var all sync.WaitGroup
	all.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, from, err := front.ReadFromUDP(b)
			if err != nil {
				return
			}
			if client.Store(from); !h.shut.Load() {
				_, _ = back.Write(b[:n])
			}
		}
	})
	all.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, err := back.Read(b)
			if err != nil {
				return
			}
			if to := client.Load(); to != nil && !h.shut.Load() {
				_, _ = front.WriteToUDP(b[:n], to)
			}
		}
	})
	r.t.Cleanup(func() {
		_ = front.Close()
		_ = back.Close()
		all.Wait()
	})
	return h
}

// A way that has become silent is given up, and another one found.
func TestSilence(t *testing.T) {
	r := start(t, nil)
	want := r.put("/big.bin", 24<<20)
	h := r.hole()
	r.mu.Lock()
	r.idle, r.relay = 2*time.Second, h.front.LocalAddr().String()
	r.mu.Unlock()
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn, got := half(t, c, "big.bin")
	h.shut.Store(true)
	r.mu.Lock()
	r.relay = ""
	r.mu.Unlock()
	if _, err := io.Copy(got, conn); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect("RETR", 226); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	if text := r.log.String(); !strings.Contains(text, "not answered") {
		t.Errorf("the log:\n%s", text)
	}
}
