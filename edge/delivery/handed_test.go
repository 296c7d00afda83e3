package delivery_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/delivery"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// fed is a net.Listener of connections that a server of files hands on.
type fed struct {
	conns chan net.Conn
	ended chan struct{}
}

func (f fed) take(c net.Conn) {
	select {
	case f.conns <- c:
	case <-f.ended:
		_ = c.Close()
	}
}

func (f fed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.ended:
		return nil, net.ErrClosed
	}
}

func (f fed) Close() error   { return nil }
func (f fed) Addr() net.Addr { return new(net.TCPAddr) }

// The kernel moves the bytes of a file also over a connection that the server of files has
// accepted and handed on.
func TestKernelMovesHanded(t *testing.T) {
	const size = 300_000
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "big"), make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: root, State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var moved atomic.Int64
	web := fed{make(chan net.Conn), make(chan struct{})}
	srv, err := edge.New(edge.Config{FS: disk, Policies: []edge.Slot{{Name: "keeper", Policy: &keeper{}}}, Log: slog.New(slog.DiscardHandler),
		Listeners: []edge.Listener{{Name: "web", Socket: counting{l, &moved}, HandOn: web.take}}})
	if err == nil {
		err = srv.Listen(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	served, answered := make(chan error, 1), make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	h, err := delivery.New(srv, delivery.Config{Listener: "web", Anonymous: "anonymous"})
	if err != nil {
		t.Fatal(err)
	}
	hs := h.Server()
	go func() { answered <- hs.Serve(web) }()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get("http://" + l.Addr().String() + "/big")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	close(web.ended)
	if err := errors.Join(hs.Shutdown(t.Context()), srv.Shutdown(t.Context()), <-served); err != nil {
		t.Error(err)
	}
	if err := <-answered; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if got := moved.Load(); got < size-4096 { // net/http looks at the first ones by itself
		t.Errorf("the kernel has moved %d of %d bytes", got, size)
	}
}
