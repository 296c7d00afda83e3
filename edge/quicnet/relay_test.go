package quicnet

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// muzzle is a socket that can be made to lose all that is sent.
type muzzle struct {
	*net.UDPConn
	once sync.Once
	shut chan struct{}
}

func (m *muzzle) on() chan struct{} {
	m.once.Do(func() { m.shut = make(chan struct{}) })
	return m.shut
}

func (m *muzzle) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (int, int, error) {
	select {
	case <-m.on():
		return len(b), len(oob), nil
	default:
		return m.UDPConn.WriteMsgUDP(b, oob, to)
	}
}

// relay stands between one client and the server, as a NAT does. Its address on the
// server's side can change.
type relay struct {
	front  *net.UDPConn
	server *net.UDPAddr
	client atomic.Pointer[net.UDPAddr]
	all    sync.WaitGroup

	mu   sync.Mutex
	back *net.UDPConn
}

func newRelay(t *testing.T, server *net.UDPAddr) *relay {
	t.Helper()
	r := &relay{front: udp(t), server: server}
	r.rebind(t)
	r.all.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, from, err := r.front.ReadFromUDP(b)
			if err != nil {
				return
			}
			r.client.Store(from)
			_, _ = r.behind().Write(b[:n])
		}
	})
	t.Cleanup(func() {
		_ = r.front.Close()
		_ = r.behind().Close()
		r.all.Wait()
	})
	return r
}

func (r *relay) behind() *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.back
}

// rebind gives the relay a new address. What is on its way to the old one is lost.
func (r *relay) rebind(t *testing.T) {
	t.Helper()
	back, err := net.DialUDP("udp", nil, r.server)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	old := r.back
	r.back = back
	r.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
	r.all.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, err := back.Read(b)
			if err != nil {
				return
			}
			if to := r.client.Load(); to != nil {
				_, _ = r.front.WriteToUDP(b[:n], to)
			}
		}
	})
}
