package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

func TestListenRefuses(t *testing.T) {
	server, _ := authority(t)
	for name, conf := range map[string]Config{
		"no TLS":            {FTP: true},
		"nothing to serve":  {TLS: server},
		"streams below 0":   {TLS: server, FTP: true, Limits: Limits{Streams: -1}},
		"a time below zero": {TLS: server, FTP: true, Limits: Limits{Idle: -1}},
	} {
		pc := udp(t)
		if l, err := Listen(pc, conf); err == nil || l != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := pc.Close(); err != nil {
			t.Errorf("%s: the socket is not the caller's any more: %v", name, err)
		}
	}
	pc, err := net.ListenPacket("unixgram", t.TempDir()+"/s")
	if err != nil {
		if runtime.GOOS == "linux" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	defer pc.Close()
	if _, err := Listen(pc, Config{TLS: server, FTP: true}); err == nil {
		t.Error("a socket of another kind is taken")
	}
}

// bare is a socket without deadlines, and without what a *net.UDPConn can do beside.
type bare struct{ net.PacketConn }

func (bare) SetDeadline(time.Time) error     { return errors.ErrUnsupported }
func (bare) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

func TestBareSocket(t *testing.T) {
	server, client := authority(t)
	l, err := Listen(bare{udp(t)}, Config{TLS: server, FTP: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{l, client}
	c := s.dial(t)
	far, near := s.session(t, c)
	writes(t, far, "x")
	reads(t, near, "x")
	_ = far.Close()
	_ = c.Close()
	if err := l.Shutdown(within(t)); err != nil {
		t.Error(err)
	}
}

// A deadline calls Accept back; the streams that come meanwhile wait.
func TestPause(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	accepted := make(chan error, 1)
	go func() {
		_, err := s.Accept()
		accepted <- err
	}()
	if err := s.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	near, err := c.Session(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	}
	_ = s.SetDeadline(time.Now().Add(-time.Hour))
	_ = s.SetDeadline(time.Time{})
	far, err := s.Accept()
	if err != nil {
		t.Fatal(err)
	}
	writes(t, far, "220 \r\n")
	reads(t, near, "220 \r\n")
	_ = s.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := s.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	_ = far.Close()
}

// Close ends no session; it takes no new one, and no new connection.
func TestClose(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, near := s.session(t, c)
	idle := s.rawConn(t)
	await(t, func() bool { return s.Stats().FTP == 2 })
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := s.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if code := ended(t, idle); code != CodeShutdown {
		t.Errorf("a connection without sessions: %v", code)
	}
	if _, err := Dial(within(t), s.dialConfig()); !errors.Is(err, ErrRefused) {
		t.Errorf("a new connection: %v", err)
	}
	second, err := c.Session(within(t))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, second, CodeShutdown)
	token := c.Token()
	d := open(t, prepare(t, far, token), false)
	r, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	writes(t, d, "file")
	if err := d.End(nil); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "file" {
		t.Errorf("%q, %v", got, err)
	}
	writes(t, far, "221 bye\r\n")
	_ = far.Close()
	reads(t, near, "221 bye\r\n")
	if err := s.Shutdown(within(t)); err != nil {
		t.Error(err)
	}
	<-c.Done()
	if e, ok := errors.AsType[*Error](c.Err()); !ok || e.Code != CodeShutdown {
		t.Errorf("the client is told %v", c.Err())
	}
	if st := s.Stats(); st.FTP != 0 || st.Sessions != 0 {
		t.Errorf("%+v", st)
	}
}

// Shutdown ends what does not end by itself when its time is over.
func TestShutdown(t *testing.T) {
	s := listen(t, func(c *Config) { c.HTTP = nowhere{} })
	c := s.dial(t)
	far, near := s.session(t, c)
	if res, _, err := s.get(t, s.browser(t), "/"); err != nil || res.StatusCode != http.StatusNotFound {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	wantCode(t, near, CodeShutdown)
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := s.Shutdown(within(t)); err != nil {
		t.Errorf("once more: %v", err)
	}
	quiet := listen(t, func(c *Config) { c.HTTP = nowhere{} })
	if err := quiet.Shutdown(within(t)); err != nil {
		t.Errorf("with nothing to end: %v", err)
	}
}

// A socket that is closed under it ends the listener.
func TestSocketClosed(t *testing.T) {
	server, _ := authority(t)
	pc := udp(t)
	l, err := Listen(pc, Config{TLS: server, FTP: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = pc.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := l.Shutdown(within(t)); err != nil {
		t.Error(err)
	}
}

// A connection that nothing is done on ends, however alive it is kept: before its first
// session, and after its last.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := listen(t, func(c *Config) { c.Limits.Idle, c.Limits.Unused = 2*time.Second, time.Second }) // Idle is the transport's, too
	alive := func(_ *tls.Config, q *quic.Config) { q.KeepAlivePeriod = 20 * time.Millisecond }
	never, err := s.raw(t, alive)
	if err != nil {
		t.Fatal(err)
	}
	if code := ended(t, never); code != CodeIdle {
		t.Errorf("without a session: %v", code)
	}
	used, err := s.raw(t, alive)
	if err != nil {
		t.Fatal(err)
	}
	far, near := s.rawSession(t, used)
	_ = near.SetReadDeadline(time.Now().Add(2500 * time.Millisecond))
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with a session: %v", err)
	}
	_ = far.Close()
	if code := ended(t, used); code != CodeIdle {
		t.Errorf("after its last session: %v", code)
	}
}

// A successor begins on a duplicate of the socket when Shutdown has returned, and clients
// that come again find it.
func TestHandOver(t *testing.T) {
	server, client := authority(t)
	pc := udp(t)
	file, err := pc.File()
	if err != nil {
		if runtime.GOOS == "linux" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	defer file.Close()
	first, err := Listen(pc, Config{TLS: server, FTP: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{first, client}
	c := s.dial(t)
	s.session(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = first.Shutdown(ctx)
	<-c.Done()
	if e, ok := errors.AsType[*Error](c.Err()); !ok || e.Code != CodeShutdown {
		t.Error(c.Err())
	}
	same, err := net.FilePacketConn(file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Listen(same, Config{TLS: server, FTP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Shutdown(ctx) })
	s = &site{second, client}
	far, near := s.session(t, s.dial(t))
	writes(t, far, "220 \r\n")
	reads(t, near, "220 \r\n")
}
