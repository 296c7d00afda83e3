package delivery

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// counted is a TCP connection that counts the bytes it is handed as a file, which the
// kernel then moves.
type counted struct {
	*net.TCPConn
	files *atomic.Int64
}

func (c counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	if l, ok := r.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			c.files.Add(n)
		}
	}
	return n, err
}

type countedListener struct {
	net.Listener
	files *atomic.Int64
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return counted{c.(*net.TCPConn), l.files}, nil
}

// diskVisit sends one file in slices, as a transfer does.
type diskVisit struct {
	*fakeVisit
	name string
}

func (v diskVisit) Do(ctx context.Context, e pi.Errand) wire.Reply {
	if e.Verb != "RETR" {
		return v.fakeVisit.Do(ctx, e)
	}
	f, err := os.Open(v.name)
	if err != nil {
		return wire.Say(451, "%v", err)
	}
	defer f.Close()
	st, _ := f.Stat()
	parts, _ := e.Offer(pi.Offered{FileInfo: st})
	conn, _ := e.Port.Open(ctx)
	defer conn.Close()
	if !conn.(interface{ TakesFiles() bool }).TakesFiles() {
		_, err = io.CopyN(struct{ io.Writer }{conn}, f, st.Size())
	}
	for left := parts[0].Size; left > 0 && err == nil; {
		var n int64
		n, err = conn.(io.ReaderFrom).ReadFrom(io.LimitReader(f, min(left, 64<<10)))
		if left -= n; n == 0 {
			break
		}
	}
	if err != nil {
		return wire.Say(426, "%v", err)
	}
	_ = conn.(interface{ End(error) error }).End(nil)
	return wire.Say(226, "Done.")
}

// The kernel moves the bytes over HTTP/1.1 in the clear, but for the first ones, which
// net/http looks at.
func TestSendfile(t *testing.T) {
	const size = 1 << 20
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tls := range []bool{false, true} {
		site := newFakeSite()
		h, err := newHandler(anonymous(), func(ctx context.Context, r *http.Request) (session, error) {
			s, err := site.visit(ctx, r)
			return diskVisit{s.(*fakeVisit), name}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		var files atomic.Int64
		srv := httptest.NewUnstartedServer(nil)
		srv.Config, srv.Listener = h.Server(), countedListener{srv.Listener, &files}
		if srv.EnableHTTP2 = tls; tls {
			srv.StartTLS()
		} else {
			srv.Start()
		}
		for range 2 { // the connection is as good afterwards
			r, err := srv.Client().Get(srv.URL + "/file")
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if n != size || err != nil || r.ContentLength != size {
				t.Fatalf("%d bytes, %v", n, err)
			}
		}
		srv.Client().CloseIdleConnections()
		srv.Close() // when all is counted
		if n := files.Load(); tls && n != 0 || !tls && n < 2*(size-4096) {
			t.Errorf("TLS %v: the kernel has moved %d of %d bytes", tls, n, 2*size)
		}
		if site.opened != 1 {
			t.Errorf("%d sessions", site.opened)
		}
	}
}

// stuckVisit writes until it is woken.
type stuckVisit struct {
	*fakeVisit
	err chan error
}

func (v stuckVisit) Do(ctx context.Context, e pi.Errand) wire.Reply {
	if e.Verb != "RETR" {
		return v.fakeVisit.Do(ctx, e)
	}
	e.Offer(pi.Offered{FileInfo: fakeInfo{size: 1 << 40}})
	conn, _ := e.Port.Open(ctx)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	buf := make([]byte, 64<<10)
	for {
		if _, err := conn.Write(buf); err != nil {
			conn.Close()
			v.err <- err
			return wire.Say(426, "Broken.")
		}
	}
}

// A client that is gone, and one that takes nothing while its transfer is given up, hold
// nothing.
func TestClientGone(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		site := newFakeSite()
		ended := make(chan error, 1)
		h, err := newHandler(anonymous(), func(ctx context.Context, r *http.Request) (session, error) {
			s, err := site.visit(ctx, r)
			return stuckVisit{s.(*fakeVisit), ended}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewUnstartedServer(nil)
		srv.Config, srv.EnableHTTP2 = h.Server(), protocol == "h2"
		if protocol == "http" {
			srv.Start()
		} else {
			srv.StartTLS()
		}
		defer srv.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/file", nil)
		r, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if _, err := io.ReadFull(r.Body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		cancel()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatal("the transfer goes on for nobody")
		}
		srv.Client().CloseIdleConnections()
	})
}
