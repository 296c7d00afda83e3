package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// mostInLobby is how many connections may wait for what their proxy says of them, whatever
// Limits has: a proxy says it with the first packet, and only those come here that are
// trusted to be one.
const mostInLobby = 1000

// unannounced are connections that were closed for want of an announcement, and when the
// log was told last.
type unannounced struct {
	count atomic.Uint64
	told  atomic.Int64 // Unix time, in seconds
}

// receive waits for what a proxy says of a connection, and welcomes it then. Nothing of the
// client is known before, so that no limit but that of the lobby holds, and the proxy is
// blamed for nothing.
func (s *Server) receive(ctx context.Context, l *bound, p *dtp.Proxies, conn net.Conn) {
	if p.Optional && !p.Trusts(dtp.AddrPort(conn.RemoteAddr()).Addr()) {
		s.welcome(ctx, l, conn)
		return
	}
	if !s.enterLobby(conn) {
		s.unmet(l, conn, errors.New("too many connections wait for what their proxy says of them"))
		return
	}
	go func() {
		defer s.running.Done()
		if !s.guard(func() {
			met, err := p.Meet(conn)
			if !s.leaveLobby(conn) {
				_ = conn.Close()
				return
			}
			if err != nil {
				s.unmet(l, conn, err)
				return
			}
			s.welcome(ctx, l, met)
		}) {
			s.leaveLobby(conn)
			_ = conn.Close()
		}
	}()
}

// enterLobby counts a connection in, unless there are too many or the server is shutting
// down. Whom it has let in must be taken off Server.running.
func (s *Server) enterLobby(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lobby) >= mostInLobby || s.draining() {
		return false
	}
	s.lobby[conn] = struct{}{}
	s.running.Add(1)
	return true
}

// leaveLobby takes a connection out, and reports whether the server still wants it.
func (s *Server) leaveLobby(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lobby, conn)
	return !s.draining()
}

// unmet closes a connection that nobody has announced. Whoever connects and goes without
// a word, as health checks do, is not worth one; the log has at most one a second.
func (s *Server) unmet(l *bound, conn net.Conn, err error) {
	peer := dtp.AddrPort(conn.RemoteAddr())
	defer conn.Close()
	if errors.Is(err, io.EOF) {
		return
	}
	n := s.unannounced.count.Add(1)
	now := time.Now().Unix()
	if last := s.unannounced.told.Load(); now <= last || !s.unannounced.told.CompareAndSwap(last, now) {
		return
	}
	s.log.Warn("a connection was closed: nobody has said whose it is", "listener", s.nameOf(l), "address", peer.String(), "error", err, "unannounced", n)
}
