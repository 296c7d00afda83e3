package quicnet

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// lookout is how often connections are asked where their peers are. The library tells
// nobody; asking is the reading of one pointer.
const lookout = time.Second

// moves notices when peers have changed their addresses (RFC 9000 §9). One timer looks
// after all of a listener's connections, and only while there are any that are watched.
type moves struct {
	try func(peer net.Addr, do func()) bool // Listener.try

	mu    sync.Mutex
	links map[*link]*watched
	timer *time.Timer // nil while nothing is watched
}

// watched is a connection, where its peer was last, and whom to tell.
type watched struct {
	at   netip.AddrPort
	tell map[*Conn]func(netip.AddrPort)
}

// watch has f told of a session's moves; nil takes it back.
func (m *moves) watch(c *Conn, f func(netip.AddrPort)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.links[c.link]
	switch {
	case f == nil && w != nil:
		if delete(w.tell, c); len(w.tell) == 0 {
			m.drop(c.link)
		}
		return
	case f == nil:
		return
	case w == nil:
		w = &watched{dtp.AddrPort(c.RemoteAddr()), map[*Conn]func(netip.AddrPort){}}
		if m.links == nil {
			m.links = map[*link]*watched{}
		}
		m.links[c.link] = w
	}
	w.tell[c] = f
	if m.timer == nil {
		m.timer = time.AfterFunc(lookout, m.look)
	}
}

// forget ends the watch over a connection.
func (m *moves) forget(k *link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(k)
}

// drop is forget, for a caller that holds mu.
func (m *moves) drop(k *link) {
	delete(m.links, k)
	if len(m.links) == 0 && m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
}

// look tells of all who have moved since it looked last.
func (m *moves) look() {
	for _, c := range m.changes() {
		m.try(net.UDPAddrFromAddrPort(c.to), func() { c.tell(c.to) })
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timer != nil {
		m.timer.Reset(lookout)
	}
}

// change is somebody who is to be told, and what.
type change struct {
	to   netip.AddrPort
	tell func(netip.AddrPort)
}

func (m *moves) changes() (out []change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, w := range m.links {
		now := dtp.AddrPort(k.conn.RemoteAddr())
		if now == w.at {
			continue
		}
		w.at = now
		for _, f := range w.tell {
			out = append(out, change{now, f})
		}
	}
	return out
}
