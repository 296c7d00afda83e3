package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/proxied"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// taker gets connections that are handed on. It keeps them in their order.
type taker chan net.Conn

func newTaker() taker { return make(taker, 10) } // more than a test hands on

func (k taker) take(c net.Conn) { k <- c }

// next waits for a connection.
func (k taker) next(r *rig) net.Conn {
	r.t.Helper()
	select {
	case c := <-k:
		return c
	case <-time.After(userpi.Timeout):
		r.t.Fatal("nothing was handed on")
	}
	return nil
}

// handing has the first listener hand its connections on.
func handing(k taker, set ...func(*Config)) func(*Config) {
	return func(c *Config) {
		for _, f := range set {
			f(c)
		}
		c.Listeners[0].HandOn = k.take
	}
}

// connect makes a connection and says something on it.
func (r *rig) connect(text string) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	r.must(err)
	r.t.Cleanup(func() { _ = c.Close() })
	r.must(c.SetDeadline(time.Now().Add(userpi.Timeout)))
	_, _ = io.WriteString(c, text) // one that is closed already is found so by what is read of it
	return c
}

// silence expects that a connection is closed without a word.
func (r *rig) silence(what string, c net.Conn) {
	r.t.Helper()
	if got, err := io.ReadAll(c); len(got) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Errorf("%s: %q, %v", what, got, err)
	}
}

// heard expects a text on a connection.
func (r *rig) heard(c net.Conn, want string) {
	r.t.Helper()
	r.must(c.SetDeadline(time.Now().Add(userpi.Timeout)))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		r.t.Fatalf("%q, %v; want %q", got, err, want)
	}
}

// What a listener hands on is no session, and counts until it is closed; visits are sessions
// of the listener.
func TestHandOn(t *testing.T) {
	k := newTaker()
	r := start(t, handing(k))
	defer r.stop()
	c := r.connect("hello")
	got := k.next(r)
	r.heard(got, "hello")
	_, err := io.WriteString(got, "and back")
	r.must(err)
	r.heard(c, "and back")
	if got.RemoteAddr().String() != c.LocalAddr().String() || got.LocalAddr().String() != r.addr {
		t.Errorf("it goes from %v to %v", got.RemoteAddr(), got.LocalAddr())
	}
	if st := r.srv.Status(); st.Sessions != 0 || st.OldSessions != 0 || len(r.keeper.turned()) != 0 {
		t.Errorf("%+v", st)
	}
	v := r.visit()
	if all := r.srv.Sessions(); len(all) != 1 || all[0].Listener != "main" {
		t.Errorf("%+v", all)
	}
	v.Close()
	r.must(got.(interface{ CloseWrite() error }).CloseWrite())
	r.silence("what is ended", c)
	_ = got.Close()
	_ = got.Close() // as some do
	r.free()
}

// The limits of sessions hold for what is handed on, which is counted apart: who is one too
// many hears nothing, observers hear of him, and there is room again when one has gone.
func TestHandOnLimits(t *testing.T) {
	for name, tt := range map[string]struct {
		limits Limits
		kind   policy.EventKind
		text   string
		points int
	}{
		"all":         {Limits{Sessions: 1, SessionsPerIP: -1}, policy.EventMaxCons, "", 0},
		"one address": {Limits{SessionsPerIP: 1}, policy.EventMaxConsPerIP, "", 1},
		"descriptors": {Limits{SessionsPerIP: -1, Descriptors: SessionDescriptors + 1}, policy.EventMaxCons, "descriptors", 0},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTaker()
			r := start(t, handing(k, func(c *Config) { c.Limits = tt.limits }))
			defer r.stop()
			r.connect("")
			first := k.next(r)
			r.silence("one too many", r.connect(""))
			r.until("the observers are told", func() bool { return r.was(tt.kind) })
			if got := r.keeper.turned(); tt.kind == policy.EventMaxCons && (len(got) != 1 || got[0] != tt.text) {
				t.Errorf("turned away for %q", got)
			}
			if got := r.srv.Defence().Highest; len(got) != tt.points {
				t.Errorf("the defence holds %+v against them", got)
			}
			r.visit().Close() // a session beside it
			_ = first.Close()
			r.free()
			r.connect("")
			_ = k.next(r).Close()
		})
	}
}

// Descriptors are shared: eight for a session, one for what is handed on.
func TestHandOnDescriptors(t *testing.T) {
	g := gate{limits: Limits{Descriptors: 3 * SessionDescriptors}}
	here := netip.MustParseAddr("192.0.2.1")
	for i, step := range []struct {
		of   *headcount
		want admission
	}{{&g.handed, admitted}, {&g.sessions, admitted}, {&g.sessions, admitted}, {&g.sessions, noDescriptors}, {&g.handed, admitted}, {&g.handed, admitted}, {&g.handed, noDescriptors}} {
		if got := g.enter(step.of, here); got != step.want {
			t.Errorf("step %d: %v, not %v", i, got, step.want)
		}
	}
	for range 3 {
		g.leave(&g.handed, here)
	}
	if got := g.enter(&g.sessions, here); got != admitted || g.sessions.total != 3 || g.handed.total != 0 {
		t.Errorf("%v, with %d and %d", got, g.sessions.total, g.handed.total)
	}
}

// Who is banned hears nothing and is handed to nobody, nor is anybody while the server is
// held; what was handed on before goes on.
func TestHandOnUnwelcome(t *testing.T) {
	k := newTaker()
	r := start(t, handing(k))
	defer r.stop()
	c := r.connect("")
	before := k.next(r)
	_, err := r.srv.Ban(netip.MustParsePrefix("127.0.0.1/32"), time.Hour, "test")
	r.must(err)
	r.silence("the banned", r.connect(""))
	r.srv.Unban(netip.MustParsePrefix("127.0.0.1/32"))
	r.srv.Hold(true)
	r.silence("a server that is held", r.connect(""))
	r.until("the observers are told", func() bool { return strings.Join(r.keeper.turned(), ",") == "draining" })
	r.srv.Hold(false)
	_, err = io.WriteString(before, "still here")
	r.must(err)
	r.heard(c, "still here")
	_ = before.Close()
	r.connect("")
	_ = k.next(r).Close()
	if len(k) != 0 {
		t.Error("who was turned away was handed on")
	}
}

// What was handed on is waited for by a server that shuts down, until the end of its time,
// when it is closed; and that of a server whose context ends is closed at once.
func TestHandOnShutdown(t *testing.T) {
	k := newTaker()
	r := start(t, handing(k))
	r.connect("")
	patient := k.next(r)
	down := make(chan error, 1)
	go func() { down <- r.srv.Shutdown(context.Background()) }()
	r.until("it drains", r.srv.draining)
	_, err := patient.Write([]byte("the rest"))
	r.must(err)
	select {
	case err := <-down:
		t.Fatalf("Shutdown has not waited: %v", err)
	default:
	}
	_ = patient.Close()
	r.must(<-down)
	r.must(<-r.served)
	r.cancel()

	for _, how := range []string{"the end of the time", "the end of the context"} {
		r := start(t, handing(k))
		c := r.connect("")
		k.next(r)
		if how == "the end of the context" {
			r.cancel()
		} else {
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			r.must(r.srv.Shutdown(ended))
		}
		r.silence(how, c)
		r.must(<-r.served)
		r.cancel()
		r.free()
		r.must(r.srv.Shutdown(t.Context()))
	}
}

// An address goes over from sessions to handing on, to another who gets it, and back, each
// time at once and on the same socket; what there was goes on, and what it stands on is
// given up when it has gone.
func TestHandOnApply(t *testing.T) {
	one, two := newTaker(), newTaker()
	var retired atomic.Int32
	r := start(t, nil)
	defer r.stop()
	old := r.login()
	socket := r.srv.Sockets()[0]
	r.apply(func(c *Config) {
		handing(one)(c)
		c.Listeners[0].Name, c.Retired = "web", func() { retired.Add(1) }
	})
	c := r.connect("")
	first := one.next(r)
	r.apply(handing(two))
	r.connect("")
	_ = two.next(r).Close()
	r.apply(nil)
	if got := r.greeting(r.addr); got == "" || r.srv.Sockets()[0] != socket {
		t.Errorf("%q at %v", got, r.srv.Addresses())
	}
	r.do(old, "NOOP", 200)
	_, err := io.WriteString(first, "still here")
	r.must(err)
	r.heard(c, "still here")
	if n := retired.Load(); n != 0 || len(one)+len(two) != 0 {
		t.Errorf("what it stands on was given up (%d), or more was handed on: %d, %d", n, len(one), len(two))
	}
	_ = first.Close()
	r.until("its configuration is given up", func() bool { return retired.Load() == 1 })
	r.must(old.Quit())
	r.free()
}

// A paused server hands nothing on; who has waited is handed on then.
func TestHandOnPause(t *testing.T) {
	k := newTaker()
	r := start(t, handing(k))
	defer r.stop()
	r.connect("")
	_ = k.next(r).Close()
	_, err := r.srv.Pause(t.Context())
	r.must(err)
	c := r.connect("hello")
	r.quietly(k)
	r.srv.Resume()
	got := k.next(r)
	r.heard(got, "hello")
	_ = got.Close()
	r.silence("the end", c)
}

// quietly fails if something is handed on soon.
func (r *rig) quietly(k taker) {
	r.t.Helper()
	select {
	case <-k:
		r.t.Error("something was handed on")
	case <-time.After(20 * time.Millisecond):
	}
}

// The client whom a proxy announces is whom limits and bans are about, and whom the other
// protocol sees; what strangers announce is not believed.
func TestHandOnProxied(t *testing.T) {
	k := newTaker()
	from := func(trusted string) func(*Config) {
		return func(c *Config) {
			c.Limits.SessionsPerIP = 1
			c.Listeners[0].Proxies = &dtp.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix(trusted)}, Read: proxied.Read}
		}
	}
	r := start(t, handing(k, from("127.0.0.0/8")))
	defer r.stop()
	const header = "PROXY TCP4 203.0.113.%s 198.51.100.1 40000 443\r\n"
	said := func(client string) string { return strings.Replace(header, "%s", client, 1) }
	r.connect(said("7") + "hello")
	got := k.next(r)
	r.heard(got, "hello")
	if got.RemoteAddr().String() != "203.0.113.7:40000" || got.LocalAddr().String() != "198.51.100.1:443" {
		t.Errorf("it goes from %v to %v", got.RemoteAddr(), got.LocalAddr())
	}
	r.silence("the second of one client", r.connect(said("7")))
	_, err := r.srv.Ban(netip.MustParsePrefix("203.0.113.8/32"), time.Hour, "test")
	r.must(err)
	r.silence("the banned", r.connect(said("8")))
	r.connect(said("9"))
	_ = k.next(r).Close()
	r.silence("without a header", r.connect("GET / HTTP/1.1\r\n\r\n"))
	_ = got.Close()
	r.free()

	r.apply(handing(k, from("192.0.2.0/24")))
	r.silence("forged", r.connect(said("7")))
	if len(k) != 0 {
		t.Error("who was turned away was handed on")
	}
}

// A mistake of who gets a connection costs that connection.
func TestHandOnPanic(t *testing.T) {
	r := start(t, func(c *Config) { c.Listeners[0].HandOn = func(net.Conn) { panic("a mistake") } })
	defer r.stop()
	for range 2 {
		r.silence("a mistake", r.connect(""))
	}
	r.free()
	if n := r.srv.Status().Panics; n != 2 {
		t.Errorf("%d panics", n)
	}
}

// What would be done twice is refused.
func TestHandOnRefused(t *testing.T) {
	conf := basic(newKeeper())
	conf.Listeners[0].TLS, conf.Listeners[0].HandOn = new(tls.Config), func(net.Conn) {}
	if _, err := New(conf); err == nil || !strings.Contains(err.Error(), "hands its connections on") {
		t.Errorf("TLS: %v", err)
	}
}

// filed counts the bytes that it is handed as a file, as the kernel moves them.
type filed struct {
	*net.TCPConn
	files int64
}

func (f *filed) ReadFrom(r io.Reader) (int64, error) {
	n, err := f.TCPConn.ReadFrom(r)
	if l, ok := r.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			f.files += n
		}
	}
	return n, err
}

// A file goes to the connection itself, which may have the kernel send it; one that cannot
// has it all the same.
func TestHandedFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	want := bytes.Repeat([]byte("0123456789"), 1000)
	if err := os.WriteFile(name, want, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	from, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	bare := &filed{TCPConn: to.(*net.TCPConn)}
	piped, pipe := net.Pipe()
	for what, ends := range map[string]struct{ to, from net.Conn }{"TCP": {bare, from}, "a pipe": {piped, pipe}} {
		got := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(ends.from)
			got <- b
		}()
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		h := &handed{Conn: ends.to, over: func() {}}
		if n, err := h.ReadFrom(io.LimitReader(f, int64(len(want)))); n != int64(len(want)) || err != nil {
			t.Errorf("%s: %d bytes, %v", what, n, err)
		}
		_ = f.Close()
		_ = h.Close()
		if !bytes.Equal(<-got, want) {
			t.Errorf("%s: not what the file is", what)
		}
		_ = ends.from.Close()
	}
	if bare.files != int64(len(want)) {
		t.Errorf("%d bytes went as a file", bare.files)
	}
}
