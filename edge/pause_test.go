package edge

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// caller connects and returns the connection, and what reads its first line.
func (r *rig) caller() (net.Conn, *bufio.Reader) {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	r.must(err)
	r.t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReader(c)
}

// greeted reads a greeting that has to come.
func (r *rig) greeted(c net.Conn, in *bufio.Reader) {
	r.t.Helper()
	r.must(c.SetReadDeadline(time.Now().Add(userpi.Timeout)))
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "220") {
		r.t.Fatalf("%q, %v", line, err)
	}
}

// quiet reads a greeting that must not come.
func (r *rig) quiet(c net.Conn, in *bufio.Reader) {
	r.t.Helper()
	r.must(c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)))
	if line, err := in.ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("a paused server says %q, %v", line, err)
	}
}

// While a server is paused its sessions go on, and who connects waits for its end.
func TestPause(t *testing.T) {
	memory := &blob{}
	r := start(t, func(c *Config) { c.Defence.Memory = memory })
	defer r.stop()
	old := r.login()
	before, _ := r.srv.Pause(t.Context())
	if before != 1 {
		t.Errorf("the last session is %d", before)
	}
	if _, err := r.srv.Pause(t.Context()); !errors.Is(err, errPaused) {
		t.Errorf("paused twice: %v", err)
	}
	if err := r.srv.Apply(t.Context(), basic(r.keeper)); !errors.Is(err, errPaused) {
		t.Errorf("a paused server took another configuration: %v", err)
	}
	c, in := r.caller()
	r.quiet(c, in)
	r.do(old, "PWD", 257)
	r.srv.Resume()
	r.greeted(c, in)
	c, in = r.caller()
	r.greeted(c, in)
	if n, err := r.srv.Pause(t.Context()); err != nil || n != 3 {
		t.Errorf("the last session is %d, %v", n, err)
	}
	r.srv.Resume()
	r.srv.Resume() // of no effect
	r.do(old, "QUIT", 221)
}

// A pause that comes to nothing, as its context has ended, leaves the server serving; one
// that never served cannot pause.
func TestPauseInVain(t *testing.T) {
	r := start(t, nil)
	defer r.stop()
	c, in := r.caller()
	r.greeted(c, in)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.srv.Pause(ctx); err == nil {
		r.srv.Resume() // the listeners were quicker
	} else if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c, in = r.caller()
	r.greeted(c, in)
	idle, err := New(basic(newKeeper()))
	r.must(err)
	if _, err := idle.Pause(t.Context()); err == nil {
		t.Error("a server paused that accepts nothing")
	}
	r.must(idle.Shutdown(t.Context()))
}

// A paused server that is shut down ends.
func TestPauseShutdown(t *testing.T) {
	r := start(t, nil)
	c, in := r.caller()
	r.greeted(c, in) // it serves
	_, err := r.srv.Pause(t.Context())
	r.must(err)
	r.stop()
}

// Another server goes on with the listeners: who has connected meanwhile is its session,
// whose number goes on too, and the first one serves the sessions that it has to their end.
func TestStopListening(t *testing.T) {
	r := start(t, nil)
	old := r.login()
	last, err := r.srv.Pause(t.Context())
	r.must(err)
	waiting, in := r.caller()
	r.quiet(waiting, in)

	file, err := r.srv.Sockets()[0].(*net.TCPListener).File()
	r.must(err)
	socket, err := net.FileListener(file)
	r.must(err)
	r.must(file.Close())
	conf := basic(newKeeper())
	conf.Listeners[0].Socket = socket
	next, err := New(conf)
	r.must(err)
	next.CountFrom(last)
	r.must(next.Listen(t.Context()))
	served := make(chan error, 1)
	go func() { served <- next.Serve(t.Context()) }()
	defer func() {
		r.must(next.Shutdown(t.Context()))
		r.must(<-served)
	}()
	r.srv.StopListening()
	r.greeted(waiting, in)
	if n := next.Sessions(); len(n) != 1 || n[0].ID != last+1 || next.Addresses()[0].String() != r.addr {
		t.Errorf("the next server's sessions are %+v", n)
	}
	_ = waiting.Close()
	r.do(old, "MKD still-here", 257)
	select {
	case err := <-r.served:
		t.Fatalf("Serve returned %v with a session there", err)
	default:
	}
	r.do(old, "QUIT", 221)
	select {
	case err := <-r.served:
		r.must(err)
	case <-time.After(userpi.Timeout):
		t.Fatal("Serve did not return when the last session had ended")
	}
	r.cancel()
	r.must(r.srv.Shutdown(t.Context()))
}

// A visit that is to begin in a pause waits for its end; none begins where another process
// serves, whose sessions have the next numbers.
func TestVisitPaused(t *testing.T) {
	r := start(t, nil)
	r.login() // it serves
	name := r.srv.now.Load().conf.Listeners[0].Name
	last, err := r.srv.Pause(t.Context())
	r.must(err)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.srv.Visit(gone, name, visitor("h2")); !errors.Is(err, ErrTurnedAway) {
		t.Errorf("who has gone meanwhile: %v", err)
	}
	begun := make(chan *Visit, 1)
	go func() {
		v, err := r.srv.Visit(t.Context(), name, visitor("h2"))
		if err != nil {
			t.Error(err)
		}
		begun <- v
	}()
	select {
	case <-begun:
		t.Error("a visit has begun in a pause")
	case <-time.After(20 * time.Millisecond):
	}
	r.srv.Resume()
	v := <-begun
	if v == nil || v.ID() != last+1 {
		t.Fatalf("%+v", v)
	}
	v.Close()
	_, err = r.srv.Pause(t.Context())
	r.must(err)
	r.srv.StopListening()
	if _, err := r.srv.Visit(t.Context(), name, visitor("h2")); !errors.Is(err, ErrTurnedAway) {
		t.Errorf("behind another server: %v", err)
	}
}
