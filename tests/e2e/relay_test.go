package e2e

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// relay stands between a client and the server, on a loopback address of its own
// and there on the same ports for data, so that it needs to understand nothing
// and TLS passes through it. When a data connection has carried so many bytes in
// one direction, every connection is reset: a network that breaks.
type relay struct {
	addr   string // for control connections
	after  int64
	broken chan struct{} // closed when it broke

	once      sync.Once
	mu        sync.Mutex
	listeners []net.Listener
	conns     []net.Conn
}

// newRelay opens a relay on the address ip for the server's control port and
// passive ports. The server has to tell ip in its replies to PASV.
func newRelay(t *testing.T, ip, server string, passive []string, after int64) *relay {
	t.Helper()
	r := &relay{after: after, broken: make(chan struct{})}
	var busy sync.WaitGroup
	t.Cleanup(func() {
		r.end()
		busy.Wait()
	})
	r.addr = r.serve(t, net.JoinHostPort(ip, "0"), server, -1, &busy)
	host, _, err := net.SplitHostPort(server)
	ok(t, err)
	for _, port := range passive {
		r.serve(t, net.JoinHostPort(ip, port), net.JoinHostPort(host, port), after, &busy)
	}
	return r
}

// serve relays every connection to at, and returns the address that it has.
func (r *relay) serve(t *testing.T, at, to string, limit int64, busy *sync.WaitGroup) string {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil && strings.Contains(err.Error(), "assign requested address") {
		cannot(t, "this machine has only one loopback address: "+err.Error())
	}
	ok(t, err)
	r.mu.Lock()
	r.listeners = append(r.listeners, l)
	r.mu.Unlock()
	busy.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			busy.Go(func() { r.both(client, to, limit) })
		}
	})
	return l.Addr().String()
}

// both relays one connection in both directions. Little is in flight, so that
// most of what was carried has also arrived when the network breaks.
func (r *relay) both(client net.Conn, to string, limit int64) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	for _, c := range []net.Conn{client, server} {
		_ = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
		_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
	}
	r.keep(client, server)
	var ways sync.WaitGroup
	ways.Go(func() { r.pass(server, client, limit) })
	ways.Go(func() { r.pass(client, server, limit) })
	ways.Wait()
}

// pass relays one direction; limit is -1 for none.
func (r *relay) pass(to, from net.Conn, limit int64) {
	if limit < 0 {
		_, _ = io.Copy(to, from)
	} else if n, _ := io.CopyN(to, from, limit); n == limit {
		r.once.Do(func() { close(r.broken) })
		r.end()
	}
	_ = to.(*net.TCPConn).CloseWrite()
}

// keep remembers a connection, to be reset; a late one is reset at once.
func (r *relay) keep(conns ...net.Conn) {
	r.mu.Lock()
	r.conns = append(r.conns, conns...)
	r.mu.Unlock()
	select {
	case <-r.broken:
		r.end()
	default:
	}
}

// end resets what there is and takes nothing more.
func (r *relay) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.listeners {
		l.Close()
	}
	for _, c := range r.conns {
		_ = userpi.Reset(c)
	}
}
