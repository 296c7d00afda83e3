package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// relay stands between a client in the clear and the server, control and data
// connections alike, and resets every connection when the first data connection
// has carried so many bytes: a network that breaks.
type relay struct {
	listener net.Listener
	server   string
	after    int64
	broken   chan struct{} // closed when it broke
	once     sync.Once

	mu    sync.Mutex
	conns []net.Conn
}

func newRelay(t *testing.T, server string, after int64) *relay {
	t.Helper()
	r := &relay{server: server, after: after, broken: make(chan struct{})}
	r.listener = must(net.Listen("tcp", "127.0.0.1:0"))(t)
	var busy sync.WaitGroup
	busy.Go(func() {
		for {
			conn, err := r.listener.Accept()
			if err != nil {
				return
			}
			busy.Go(func() { r.control(conn, &busy) })
		}
	})
	t.Cleanup(func() {
		r.listener.Close()
		r.reset()
		busy.Wait()
	})
	return r
}

// keep remembers a connection, to be reset; a late one is reset at once.
func (r *relay) keep(conns ...net.Conn) {
	r.mu.Lock()
	r.conns = append(r.conns, conns...)
	r.mu.Unlock()
	select {
	case <-r.broken:
		r.reset()
	default:
	}
}

func (r *relay) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = userpi.Reset(c)
	}
}

var epsv = regexp.MustCompile(`^229 .*\(\|\|\|(\d+)\|\)`)

// control relays a control connection, with a relay's port in the place of the
// server's in replies to EPSV.
func (r *relay) control(client net.Conn, busy *sync.WaitGroup) {
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		client.Close()
		return
	}
	r.keep(client, server)
	busy.Go(func() { pass(server, client) })
	defer client.Close()
	in := bufio.NewReader(server)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if m := epsv.FindStringSubmatch(line); m != nil {
			line = r.data(m[1], busy)
		}
		if _, err := io.WriteString(client, line); err != nil {
			return
		}
	}
}

// data opens a port for one data connection and returns the reply that tells it.
func (r *relay) data(port string, busy *sync.WaitGroup) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "425 " + err.Error() + "\r\n"
	}
	busy.Go(func() {
		defer l.Close()
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			client.Close()
			return
		}
		r.keep(client, server)
		busy.Go(func() { pass(client, server) })
		if n, _ := io.CopyN(server, client, r.after); n == r.after {
			r.once.Do(func() { close(r.broken) })
			r.reset()
		}
		_ = server.(*net.TCPConn).CloseWrite()
	})
	return fmt.Sprintf("229 Elsewhere (|||%d|)\r\n", l.Addr().(*net.TCPAddr).Port)
}

// pass relays one direction.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.(*net.TCPConn).CloseWrite()
}
