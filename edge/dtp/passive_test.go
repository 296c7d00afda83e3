package dtp

import (
	"context"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// occupied returns n ports of loopback that are listened on by somebody else.
func occupied(t *testing.T, n int) PortRange {
	t.Helper()
	var r PortRange
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		r = append(r, PortSpan{port, port})
	}
	return r
}

// vacant returns n ports in a row that nobody else listens on.
func vacant(t testing.TB, n int) PortSpan {
	t.Helper()
	from := ports.Row(t, n)
	return PortSpan{uint16(from), uint16(from + n - 1)}
}

func TestPortRange(t *testing.T) {
	r := PortRange{{5000, 5002}, {80, 80}, {65534, 65535}}
	if r.Len() != 6 {
		t.Errorf("length is %d, want 6", r.Len())
	}
	var got []uint16
	for i := range r.Len() {
		got = append(got, r.at(i))
	}
	if want := []uint16{5000, 5001, 5002, 80, 65534, 65535}; !slices.Equal(got, want) {
		t.Errorf("ports are %v, want %v", got, want)
	}
	if n := PortRange(nil).Len(); n != 0 {
		t.Errorf("the zero value has %d ports", n)
	}
}

func TestPassiveUsesTheWholeRangeAndNoMore(t *testing.T) {
	span := vacant(t, 5)
	// Two ranges, with a hole at the third port.
	conf := PassiveConfig{Local: loopback, Ports: PortRange{
		{span.First, span.First + 1}, {span.First + 3, span.Last},
	}}
	var ports []*Passive
	seen := map[uint16]bool{}
	for range 4 {
		p, err := Listen(within(t), conf)
		if err != nil {
			t.Fatalf("after %d ports: %v", len(ports), err)
		}
		t.Cleanup(func() { p.Close() })
		if p.Addr().Addr() != loopback {
			t.Errorf("it listens on %v", p.Addr())
		}
		ports = append(ports, p)
		seen[p.Addr().Port()] = true
	}
	for i := range uint16(5) {
		if port := span.First + i; seen[port] != (i != 2) {
			t.Errorf("port %d of %v: used is %v", port, conf.Ports, seen[port])
		}
	}
	if p, err := Listen(within(t), conf); err == nil {
		p.Close()
		t.Errorf("a fifth port was found: %v", p.Addr())
	} else {
		wantErr(t, err, ErrNoPort)
	}

	// A port that was given up is found again.
	free := ports[2].Addr()
	if err := ports[2].Close(); err != nil {
		t.Fatal(err)
	}
	p, err := Listen(within(t), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Addr() != free {
		t.Errorf("port is %v, want the only free one, %v", p.Addr(), free)
	}
}

func TestPassiveAllPortsBusy(t *testing.T) {
	ports := occupied(t, 4)
	for range 20 { // the first port tried is random
		p, err := Listen(within(t), PassiveConfig{Local: loopback, Ports: ports})
		if err == nil {
			p.Close()
			t.Fatalf("%v was opened although all of %v are taken", p.Addr(), ports)
		}
		wantErr(t, err, ErrNoPort)
	}
}

func TestPassiveTurnsForeignersAway(t *testing.T) {
	needElsewhere(t)
	p := newPassive(t)
	done := open(within(t), p)
	for range 3 {
		stranger := dial(t, elsewhere, p.Addr())
		if n, err := stranger.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Fatalf("the stranger read %d bytes, %v", n, err)
		}
	}
	owner := dial(t, loopback, p.Addr())
	got := await(t, done)
	if got.err != nil {
		t.Fatal(got.err)
	}
	defer got.conn.Close()
	if got.conn.RemoteAddr().String() != owner.LocalAddr().String() {
		t.Errorf("connection is of %v, want %v", got.conn.RemoteAddr(), owner.LocalAddr())
	}
	if p.Foreign() != 3 {
		t.Errorf("%d foreign connections counted, want 3", p.Foreign())
	}
}

// TestPassiveForeignerFirst has the stranger wait in the queue before Open is
// called, ahead of the owner.
func TestPassiveForeignerFirst(t *testing.T) {
	needElsewhere(t)
	p := newPassive(t)
	dial(t, elsewhere, p.Addr())
	owner := dial(t, loopback, p.Addr())
	c, err := p.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.RemoteAddr().String() != owner.LocalAddr().String() {
		t.Errorf("connection is of %v, want %v", c.RemoteAddr(), owner.LocalAddr())
	}
}

func TestPassiveAnyPeer(t *testing.T) {
	needElsewhere(t)
	p, err := Listen(within(t), PassiveConfig{Local: loopback, Wait: patience})
	if err != nil {
		t.Fatal(err)
	}
	dial(t, elsewhere, p.Addr())
	c, err := p.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestPassiveServesOnce looks for a second connection after Open: the port must
// be closed.
func TestPassiveServesOnce(t *testing.T) {
	p := newPassive(t)
	dial(t, loopback, p.Addr())
	c, err := p.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if again, err := net.DialTimeout("tcp", p.Addr().String(), patience); err == nil {
		again.Close()
		t.Error("a second connection was let in")
	}
}

func TestPassiveCancelWhileWaiting(t *testing.T) {
	needElsewhere(t)
	p := newPassive(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := open(ctx, p)
	// Only an Open that waits turns a stranger away.
	if _, err := dial(t, elsewhere, p.Addr()).Read(make([]byte, 1)); err == nil {
		t.Fatal("the stranger was served")
	}
	cancel()
	wantErr(t, await(t, done).err, context.Canceled)
}

func TestPassiveCloseWhileWaiting(t *testing.T) {
	needElsewhere(t)
	p := newPassive(t)
	done := open(within(t), p)
	if _, err := dial(t, elsewhere, p.Addr()).Read(make([]byte, 1)); err == nil {
		t.Fatal("the stranger was served")
	}
	p.Close()
	p.Close()
	wantErr(t, await(t, done).err, net.ErrClosed)
}

func TestPassiveNobody(t *testing.T) {
	before := time.Now()
	p, err := Listen(within(t), PassiveConfig{Local: loopback, Wait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if wait := p.Until().Sub(before); wait < 50*time.Millisecond {
		t.Errorf("it gives up after %v", wait)
	}
	_, err = p.Open(within(t))
	wantErr(t, err, ErrNobody)
	if time.Now().Before(p.Until()) {
		t.Error("it gave up before its time")
	}
}

// A negative wait has no end; none at all is the default.
func TestWaits(t *testing.T) {
	listen := func(wait time.Duration) *Passive {
		p, err := Listen(within(t), PassiveConfig{Local: loopback, Wait: wait})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	before := time.Now()
	if until := listen(0).Until(); until.Before(before.Add(WaitDefault)) || until.After(time.Now().Add(WaitDefault)) {
		t.Errorf("by default it waits until %v", until)
	}
	p := listen(-1)
	if !p.Until().IsZero() {
		t.Errorf("without end it waits until %v", p.Until())
	}
	dial(t, loopback, p.Addr())
	if got := await(t, open(within(t), p)); got.err != nil {
		t.Error(got.err)
	} else {
		got.conn.Close()
	}
	_, target := listener(t)
	for wait, want := range map[time.Duration]time.Duration{0: WaitDefault, -1: 0, time.Second: time.Second} {
		a, err := NewActive(ActiveConfig{Local: loopback, Peer: loopback, Wait: wait}, target)
		if err != nil || a.wait != want {
			t.Errorf("active, %v: %v, %v", wait, a, err)
		}
	}
}

func TestPassiveReady(t *testing.T) {
	needElsewhere(t) // Ready is known on Linux only
	p := newPassive(t)
	if p.Ready() {
		t.Error("ready before anybody connected")
	}
	c := dial(t, loopback, p.Addr())
	if !p.Ready() {
		t.Error("not ready although the client connected")
	}
	s, err := p.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if p.Ready() {
		t.Error("ready after it closed")
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Error(err)
	}
}

// A connection that comes while the port is given up is reset: else its client could take
// the end for that of an empty file.
func TestPassiveGivenUp(t *testing.T) {
	for range 50 {
		p, err := Listen(t.Context(), PassiveConfig{Local: loopback, Peer: loopback, Wait: -1})
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got, err := p.Open(ctx); err == nil {
			got.Close()
			t.Error("it was opened")
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("the client's end: %v", err)
		}
		c.Close()
		p.Close()
	}
}
