package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// clearSite is a listener of HTTP in the clear.
const clearSite = "protocol: http, address: 127.0.0.1:0, tls: { control: off }, delivery: { anonymous: anonymous, basic: false }"

// put writes a file that is served.
func (r *reloading) put(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(r.file), "root", name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// apply puts a configuration in force.
func (r *reloading) apply(more string) {
	r.t.Helper()
	if result, err := r.in.reload(r.t.Context(), order{text: r.write(more), by: "command"}); err != nil || !result.Applied {
		r.t.Fatalf("%+v, %v", result, err)
	}
}

// caller is a connection of HTTP/1.1 in the clear.
type caller struct {
	net.Conn
	*http.Transport
}

// call connects to a listener.
func (r *reloading) call(listener int) *caller {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr(listener))
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(userpi.Timeout))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	c := &caller{conn, &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, MaxConnsPerHost: 1}}
	r.t.Cleanup(c.hangUp)
	return c
}

func (c *caller) hangUp() {
	c.CloseIdleConnections()
	_ = c.Conn.Close()
}

// get asks for a file, and returns what came.
func (c *caller) get(t *testing.T, path string) (int, string) {
	t.Helper()
	res, err := (&http.Client{Transport: c.Transport}).Get("http://" + c.RemoteAddr().String() + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(body)
}

// turnedAway expects that the connection is closed without a word.
func (c *caller) turnedAway(t *testing.T, why string) {
	t.Helper()
	if got, err := io.ReadAll(c.Conn); len(got) > 0 || isTimeout(err) {
		t.Errorf("%s: %q, %v", why, got, err)
	}
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}

// An address goes from FTP to HTTP and back, each time in one reload; sessions and
// connections that are there go on.
func TestAddressGoesOver(t *testing.T) {
	const ftp = "listeners: [{ name: files, address: 127.0.0.1:0, tls: { control: off } }]\n"
	r := newReloading(t, ftp)
	defer r.stop()
	r.put("a", "content")
	address, session := r.addr(0), r.dial()
	for range 2 {
		r.apply("listeners: [{ name: web, " + clearSite + " }]\n")
		c := r.call(0)
		if code, body := c.get(t, "/a"); code != 200 || body != "content" || r.addr(0) != address {
			t.Errorf("HTTP at %s: %d, %q", r.addr(0), code, body)
		}
		r.do(session, "NOOP", 200)
		r.apply(ftp)
		if got := r.greeting(); got == "" || r.addr(0) != address {
			t.Errorf("FTP at %s: %q", r.addr(0), got)
		}
	}
	r.do(session, "QUIT", 221)
	if st := r.in.readiness(); !st.Ready {
		t.Errorf("%+v", st)
	}
}

// The limits of sessions hold for connections of HTTP before anything is asked for on them,
// apart from those of FTP; nobody comes in who is banned, or while the server drains.
func TestSiteDoor(t *testing.T) {
	for what, limits := range map[string]string{"one address": "{ per_ip: 2 }", "all": "{ total: 2, per_ip: 0 }"} {
		t.Run(what, func(t *testing.T) {
			r := newReloading(t, "listeners:\n  - { name: files, address: 127.0.0.1:0, tls: { control: off } }\n  - { name: web, "+clearSite+" }\n"+
				"limits: { sessions: "+limits+" }\n")
			defer r.stop()
			r.put("a", "content")
			session := r.dial()
			one, silent := r.call(1), r.call(1)
			if code, body := one.get(t, "/a"); code != 200 || body != "content" {
				t.Errorf("%d, %q", code, body)
			}
			silent.settled(t)
			r.call(1).turnedAway(t, "the third connection")
			silent.hangUp()
			until(t, userpi.Timeout, "there is room again", func() bool {
				c := r.call(1)
				defer c.hangUp()
				code, _ := c.get(t, "/a")
				return code != 0 // an answer: for a session there may be no room
			})
			if _, err := r.in.server.Ban(netip.MustParsePrefix("127.0.0.1/32"), time.Hour, "test"); err != nil {
				t.Fatal(err)
			}
			r.call(1).turnedAway(t, "the banned")
			r.in.server.Unban(netip.MustParsePrefix("127.0.0.1/32"))
			r.in.server.Hold(true)
			r.call(1).turnedAway(t, "a server that drains")
			r.in.server.Hold(false)
			r.do(session, "QUIT", 221)
		})
	}
}

// settled waits until the server has the connection, which is known from the answer to what
// is no request.
func (c *caller) settled(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(c, "GET /nothing HTTP/1.1\r\nHost: here\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
}

// A connection that a site takes no more, as another one has its place, is that one's; where
// there is none it is closed.
func TestHandedToTheNext(t *testing.T) {
	in := new(instance)
	before, now := in.next(nil, nil), in.next(nil, nil)
	before.fronts.sites["web"], now.fronts.sites["web"] = &site{feed: newFeed()}, &site{feed: newFeed()}
	_ = before.fronts.sites["web"].feed.Close()
	in.now.Store(now)
	here, there := net.Pipe()
	go before.handOn("web")(there)
	if got, err := now.fronts.sites["web"].feed.Accept(); err != nil || got != there {
		t.Errorf("%v, %v", got, err)
	}
	before.handOn("elsewhere")(there)
	if _, err := here.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection is open: %v", err)
	}
}

// Where the kernel chooses the port of HTTP/3, it is the same of TCP and UDP, and stays; what
// was bound for a configuration that is not taken is given up.
func TestChosenPort(t *testing.T) {
	const web = "listeners:\n  - { name: web, protocol: http, http3: true, address: 127.0.0.1:0, delivery: { anonymous: anonymous } }\n"
	r := newReloading(t, web)
	defer r.stop()
	ports := func() (tcp, udp string) {
		now := r.in.now.Load()
		return r.addr(0), now.port(&now.conf.Listeners[0], "127.0.0.1:0").local().String()
	}
	tcp, udp := ports()
	if tcp != udp {
		t.Errorf("TCP at %s, UDP at %s", tcp, udp)
	}
	files := descriptors()
	const more = "  - { name: more, protocol: http, http3: true, address: 127.0.0.1:0, delivery: { anonymous: anonymous } }\n"
	if _, err := r.in.reload(t.Context(), order{text: r.write(web + more + "policies: { modules: [{ name: bad, source: none.wasm }] }\n"), by: "command"}); err == nil {
		t.Error("a configuration without its module was taken")
	}
	until(t, userpi.Timeout, "what it was to listen on is closed", func() bool { return descriptors() <= files })
	r.apply(web + more)
	if a, b := ports(); a != tcp || b != udp {
		t.Errorf("TCP at %s, UDP at %s", a, b)
	}
	now := r.in.now.Load()
	_, number, _ := net.SplitHostPort(now.port(&now.conf.Listeners[1], "127.0.0.1:0").local().String())
	if _, err := strconv.Atoi(number); err != nil || !strings.HasSuffix(r.addr(1), ":"+number) {
		t.Errorf("TCP at %s, UDP at %s", r.addr(1), number)
	}
	r.apply(web)
}
