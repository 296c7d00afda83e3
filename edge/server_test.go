package edge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func TestSessionsPerAddress(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits.SessionsPerIP = 2 })
	defer r.stop()
	first, second := r.login(), r.login()
	third := r.dial()
	r.expect(third, "the third connection", 421)
	r.must(third.Closed())
	r.do(first, "NOOP", 200)
	r.must(first.Quit())
	r.must(second.Quit())
	r.free()
	r.must(r.login().Quit())
}

func TestSessionsInAll(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits = Limits{Sessions: 1, SessionsPerIP: -1} })
	defer r.stop()
	first, second := r.login(), r.dial()
	r.expect(second, "the second connection", 421)
	r.must(second.Closed())
	r.must(first.Quit())
	r.free()
	r.must(r.login().Quit())
}

func TestNoLimits(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits = Limits{Sessions: -1, SessionsPerIP: -1} })
	defer r.stop()
	for range 30 {
		r.expect(r.dial(), "the connection", 220)
	}
}

// counted is by what a gate counts the sessions of an address.
func counted(addr string) netip.Prefix {
	var h headcount
	h.add(netip.MustParseAddr(addr))
	for p := range h.byIP {
		return p
	}
	return netip.Prefix{}
}

// TestGatePrefix: one IPv6 client has a /64 at least.
func TestGatePrefix(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8::1", "2001:db8::ffff:1"},
		{"fe80::1%a", "fe80::2%b"},
	} {
		if a, b := counted(c.a), counted(c.b); a != b {
			t.Errorf("%s and %s are counted as %v and %v", c.a, c.b, a, b)
		}
	}
	if a, b := counted("2001:db8:0:1::1"), counted("2001:db8:0:2::1"); a == b {
		t.Errorf("two networks are counted as %v", a)
	}
	if a, b := counted("192.0.2.1"), counted("192.0.2.2"); a == b {
		t.Errorf("two addresses are counted as %v", a)
	}
}

func TestShutdownIdle(t *testing.T) {
	r := start(t, nil)
	c, greeted := r.login(), r.dial()
	r.expect(greeted, "the connection", 220)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.stop()
	}()
	r.expect(c, "Shutdown", 421)
	r.must(c.Closed())
	r.expect(greeted, "Shutdown", 421)
	<-done
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("the listener is still open")
	}
	if !isClosed(r.keeper.closed) {
		t.Error("the policy was not closed")
	}
}

// TestShutdownTransfer: a running transfer ends properly, and no session begins
// meanwhile.
func TestShutdownTransfer(t *testing.T) {
	r := start(t, nil)
	c := r.login()
	conn := r.upload(c, "a")
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.stop()
	}()
	r.until("the server drains", func() bool { return r.srv.Status().Draining })
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	r.do(c, "NOOP", 200)
	if st := r.srv.Status(); st.Transfers != 1 || st.Sessions != 1 {
		t.Errorf("the status is %+v", st)
	}
	r.must(conn.Close())
	r.expect(c, "STOR", 226)
	r.expect(c, "Shutdown", 421)
	<-done
	if info, err := r.fs.Stat("/a"); err != nil || info.Size != 5 {
		t.Errorf("the upload: %+v %v", info, err)
	}
}

// TestShutdownLimit: what has not ended by the limit is aborted.
func TestShutdownLimit(t *testing.T) {
	r := start(t, nil)
	c := r.login()
	conn := r.upload(c, "a")
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	shut := make(chan error, 1)
	go func() { shut <- r.srv.Shutdown(ctx) }()
	r.until("the server drains", func() bool { return r.srv.Status().Draining })
	r.do(c, "NOOP", 200)
	cancel()
	r.expect(c, "the limit", 426)
	r.must(c.Closed())
	if err := <-shut; !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	r.must(<-r.served)
	r.cancel()
	if _, err := r.fs.Stat("/a"); err == nil {
		t.Error("an aborted upload was published")
	}
	if info, err := r.fs.Partial("dev", "/a"); err == nil {
		t.Errorf("an upload of no bytes is kept: %+v", info)
	}
}

// TestServeContext: the end of Serve's context ends everything at once.
func TestServeContext(t *testing.T) {
	r := start(t, nil)
	busy, idle := r.login(), r.login()
	conn := r.upload(busy, "a")
	defer conn.Close()
	r.cancel()
	r.must(<-r.served)
	r.expect(busy, "the end", 426)
	r.expect(idle, "the end", 421)
	r.must(r.srv.Shutdown(context.Background()))
}

func TestShutdownWithoutServe(t *testing.T) {
	k := newKeeper()
	srv, err := New(basic(k))
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if !isClosed(k.closed) {
		t.Error("the policy was not closed")
	}
}

// TestListenAllOrNothing: after a failure no port is left open, and the message
// says which listener it was.
func TestListenAllOrNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := ports.Addr(t)
	conf := basic(newKeeper())
	conf.Listeners = []Listener{{Name: "first", Address: address}, {Name: "second", Address: taken.Addr().String()}}
	srv, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Shutdown(context.Background())
	if err = srv.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "second") {
		t.Errorf("Listen: %v", err)
	}
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Errorf("the first listener is still open: %v", err)
	} else {
		again.Close()
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		set  func(*Config)
		says string
	}{
		{func(c *Config) { c.FS = nil }, "Config.FS"},
		{func(c *Config) { c.Listeners = nil }, "Config.Listeners"},
		{func(c *Config) { c.Listeners[0].Implicit = true }, "main"},
		{func(c *Config) { c.Listeners[0].Require = TLSRequired }, "main"},
		{func(c *Config) { c.Listeners[0].Advertise.Address = "::1" }, "Advertise"},
		{func(c *Config) { c.Policies = append(c.Policies, Slot{Name: "keeper", Policy: newKeeper()}) }, "keeper"},
	} {
		k := newKeeper()
		conf := basic(k)
		c.set(&conf)
		if srv, err := New(conf); err == nil || srv != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("New: %v, which does not speak of %s", err, c.says)
		}
		if !isClosed(k.closed) {
			t.Errorf("after an error about %s the policy was not closed", c.says)
		}
	}
}

// TestSwap: a running transfer keeps the policies it began with to its end, its
// publication included; the next command is judged by the new one.
func TestSwap(t *testing.T) {
	r := start(t, nil)
	defer r.stop()
	busy, other := r.login(), r.login()
	conn := r.upload(busy, "a")
	next := newKeeper()
	next.refuses = policy.OpMkdir
	r.do(other, "MKD before", 257)
	generation, err := r.srv.Swap("keeper", next)
	if err != nil || generation != 2 {
		t.Fatalf("Swap: %d, %v", generation, err)
	}
	r.do(other, "MKD after", 550)
	if n := r.srv.Status().OldGenerations; n != 1 {
		t.Errorf("%d old generations are held", n)
	}
	if isClosed(r.keeper.closed) {
		t.Error("the old policy was closed under a transfer")
	}
	r.must(conn.Close())
	r.expect(busy, "STOR", 226)
	<-r.keeper.closed
	if n := r.keeper.was(policy.OpCommit); n != 1 {
		t.Errorf("the old policy was asked %d times about the publication", n)
	}
	if n := next.was(policy.OpCommit); n != 0 {
		t.Errorf("the new policy was asked %d times about the old upload", n)
	}
	r.do(busy, "MKD after", 550)
	if !slices.ContainsFunc(r.keeper.events, func(e policy.Event) bool { return e.Kind == policy.EventFileReceived }) {
		t.Error("the old policy was not told of the end of its upload")
	}
}

func TestSwapRefuses(t *testing.T) {
	r := start(t, nil)
	k := newKeeper()
	if _, err := r.srv.Swap("nobody", k); err == nil || isClosed(k.closed) {
		t.Errorf("a slot that is not there was filled: %v", err)
	}
	r.stop()
	if _, err := r.srv.Swap("keeper", k); err == nil || isClosed(k.closed) {
		t.Errorf("a slot of a closed server was filled: %v", err)
	}
}

// TestEventsInOrder: what one session does is told in its order.
func TestEventsInOrder(t *testing.T) {
	r := start(t, nil)
	c := r.login()
	conn := r.upload(c, "a")
	r.must(conn.Close())
	r.expect(c, "STOR", 226)
	r.do(c, "RNFR a", 350)
	r.do(c, "RNTO b", 250)
	r.do(c, "DELE b", 250)
	r.must(c.Quit())
	r.stop()
	var kinds []policy.EventKind
	last := uint64(0)
	for _, e := range r.keeper.events {
		if e.Session.ID != 1 {
			t.Errorf("an event of session %d", e.Session.ID)
		}
		if e.Request <= last {
			t.Errorf("%v has number %d after %d", e.Kind, e.Request, last)
		}
		if last = e.Request; e.Kind != policy.EventCommandDone {
			kinds = append(kinds, e.Kind)
		}
	}
	want := []policy.EventKind{policy.EventConnect, policy.EventLogin, policy.EventFileReceived, policy.EventFileRenamed,
		policy.EventFileDeleted, policy.EventLogout, policy.EventDisconnect}
	if !slices.Equal(kinds, want) {
		t.Errorf("the events are %v", kinds)
	}
}

// TestPanic: a mistake in one command ends that session alone.
func TestPanic(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Commands = pi.Standard().With(pi.Spec{Verb: "BANG", Handler: func(*pi.Session, pi.Args) pi.Outcome { panic("a mistake") }})
	})
	c, other := r.login(), r.login()
	r.must(c.Send("BANG"))
	r.must(c.Closed())
	r.do(other, "NOOP", 200)
	r.must(other.Quit())
	r.free()
	r.stop()
	if n := slices.IndexFunc(r.keeper.events, func(e policy.Event) bool {
		return e.Kind == policy.EventDisconnect && e.Session.ID == 1
	}); n < 0 {
		t.Error("the end of the session was not told")
	}
}

// TestManyConnections: clients that come and go at once leave nothing behind.
func TestManyConnections(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits.SessionsPerIP = -1 })
	for i := range 100 {
		c := r.dial()
		if i%2 == 0 {
			r.must(userpi.Reset(c.Raw()))
		} else {
			r.must(c.Close())
		}
	}
	r.must(r.login().Quit())
	r.stop()
	r.free()
}
