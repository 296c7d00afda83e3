package authority

import (
	"io"
	"maps"
	"net"
	"sync"
	"testing"
	"time"
)

// Balancer hands connections to several servers in turn, as what stands before the
// nodes of a fleet does.
type Balancer struct {
	Addr string // HOST:PORT of 127.0.0.1

	listener net.Listener
	targets  []string
	running  sync.WaitGroup

	mu       sync.Mutex
	next     int
	answered map[string]int
	failed   map[string]int
	open     map[net.Conn]bool
	closed   bool
}

// Balance listens on the port of 127.0.0.1 (0: a free one) until the test ends. A
// target is HOST:PORT.
func Balance(t testing.TB, port int, targets ...string) *Balancer {
	t.Helper()
	l, err := net.Listen("tcp", local(port))
	if err != nil {
		t.Fatal(err)
	}
	b := &Balancer{
		Addr: l.Addr().String(), listener: l, targets: targets,
		answered: map[string]int{}, failed: map[string]int{}, open: map[net.Conn]bool{},
	}
	b.running.Go(b.serve)
	t.Cleanup(b.Close)
	return b
}

// Close ends the listener and every connection. It may be called more than once.
func (b *Balancer) Close() {
	_ = b.listener.Close()
	b.mu.Lock()
	b.closed = true
	for conn := range b.open {
		_ = conn.Close()
	}
	b.mu.Unlock()
	b.running.Wait()
}

// Answered is how many connections each target has sent something to.
func (b *Balancer) Answered() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.answered)
}

// Failed is how many connections each target did not take. Their clients are cut off;
// no other target is asked.
func (b *Balancer) Failed() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.failed)
}

func (b *Balancer) serve() {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		target := b.targets[b.next%len(b.targets)]
		b.next++
		b.mu.Unlock()
		b.running.Go(func() { b.carry(client, target) })
	}
}

// carry connects a client to its target until one of them ends.
func (b *Balancer) carry(client net.Conn, target string) {
	defer b.drop(client)
	server, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		b.count(b.failed, target)
		return
	}
	defer b.drop(server)
	if !b.keep(client, server) {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	})
	first := make([]byte, 1)
	if n, _ := io.ReadFull(server, first); n > 0 {
		b.count(b.answered, target)
		_, _ = client.Write(first)
		_, _ = io.Copy(client, server)
	}
	_ = client.(*net.TCPConn).CloseWrite()
	_ = client.SetReadDeadline(time.Now().Add(5 * time.Second)) // the server has said all
	up.Wait()
}

func (b *Balancer) count(what map[string]int, target string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	what[target]++
}

// keep remembers the connections, so that Close can end them.
func (b *Balancer) keep(conns ...net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		b.open[c] = true
	}
	return !b.closed
}

func (b *Balancer) drop(conn net.Conn) {
	_ = conn.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, conn)
}
