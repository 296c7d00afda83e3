package edge

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// handed is a connection that was handed on (Listener.HandOn). It counts until it is closed.
type handed struct {
	net.Conn
	over func() // it counts no more; called again, it does nothing
}

// handOn gives a connection to who wants those of its listener, or turns it away. It is late
// where the generation was replaced in the meantime: then nothing was done.
func (s *Server) handOn(g *generation, d door, conn net.Conn) (late bool) {
	peer := dtp.AddrPort(conn.RemoteAddr())
	if !s.passes(g, d, conn, peer) {
		return false
	}
	h := &handed{Conn: conn}
	h.over = sync.OnceFunc(func() { s.forgetHanded(g, h, peer.Addr()) })
	in, late := s.settle(g, d, conn, func() {
		g.handed++
		s.handed[h] = struct{}{}
	})
	if in && !s.guard(func() { d.handOn(h) }) {
		_ = h.Close()
	}
	return late
}

// forgetHanded takes away what the server knows of a connection that was handed on.
func (s *Server) forgetHanded(g *generation, h *handed, peer netip.Addr) {
	defer s.running.Done()
	defer s.gate.leave(&s.gate.handed, peer)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.handed, h)
	g.handed--
	s.bury(g)
}

// closeHanded closes the connections that were handed on. No other one comes once the server
// drains.
func (s *Server) closeHanded() {
	s.mu.Lock()
	var all []*handed
	for h := range s.handed {
		all = append(all, h)
	}
	s.mu.Unlock()
	for _, h := range all {
		_ = h.Close()
	}
}

// Close implements net.Conn.
func (h *handed) Close() error {
	defer h.over()
	return h.Conn.Close()
}

// CloseWrite ends what is sent, as that of net.TCPConn does.
func (h *handed) CloseWrite() error {
	if c, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// ReadFrom implements io.ReaderFrom: the kernel moves the bytes of a file, where it can.
func (h *handed) ReadFrom(r io.Reader) (int64, error) {
	if to, ok := h.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{h.Conn}, r)
}
