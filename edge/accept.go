package edge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// accept admits control connections of one listener until it is closed. When the
// process runs out of descriptors it waits a little, longer each time, instead
// of turning on the spot.
func (s *Server) accept(ctx context.Context, l bound) {
	var pause time.Duration
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.admit(ctx, l.conf, conn)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.conf.Log.Warn("a connection could not be accepted", "listener", l.conf.Name, "error", err, "retry_in", pause)
			select {
			case <-time.After(pause):
			case <-s.drain:
				return
			}
		}
	}
}

// admit begins the session of a connection, or turns it away with 421.
func (s *Server) admit(ctx context.Context, conf *pi.Config, conn net.Conn) {
	peer, local := addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	switch s.gate.enter(peer.Addr()) {
	case tooMany:
		s.turnAway(conf, conn, peer, policy.EventMaxCons, "Too many sessions; try again later.")
		return
	case tooManyOfOne:
		s.turnAway(conf, conn, peer, policy.EventMaxConsPerIP, "Too many sessions from your address.")
		return
	}
	inlineUrgent(conn)
	s.mu.Lock()
	if s.draining() { // under the lock: nobody begins behind Shutdown's back
		s.mu.Unlock()
		s.gate.leave(peer.Addr())
		_ = conn.Close()
		return
	}
	s.last++
	sess := pi.NewSession(conf, s.last, conn, local, peer)
	s.sessions[sess.ID()] = sess
	s.running.Add(1)
	s.mu.Unlock()
	go s.own(ctx, sess, peer.Addr())
}

// own is the goroutine of an awake session.
func (s *Server) own(ctx context.Context, sess *pi.Session, peer netip.Addr) {
	defer s.running.Done()
	defer s.gate.leave(peer)
	defer func() {
		if p := recover(); p != nil {
			sess.Panic(p)
		}
		s.mu.Lock()
		delete(s.sessions, sess.ID())
		s.mu.Unlock()
	}()
	for sess.Step(ctx, time.Hour) != pi.Closed {
	}
}

// turnAway answers 421. The few bytes fit into the socket's buffer, so that the
// accepting goroutine does not wait for the client.
func (s *Server) turnAway(conf *pi.Config, conn net.Conn, peer netip.AddrPort, kind policy.EventKind, text string) {
	lease := s.chain.Lease()
	lease.Observe(policy.Event{Kind: kind, Meta: policy.Meta{Time: time.Now(), Request: 1,
		Session: &policy.Session{ID: 0, Peer: peer, Listener: conf.Name}}})
	lease.Release()
	if !conf.Implicit {
		_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = conn.Write(wire.Say(wire.CodeNotAvailable, "%s", text).Append(nil))
	}
	_ = conn.Close()
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}
