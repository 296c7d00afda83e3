package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/idle"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// accept admits control connections of one listener until it is closed. When the
// process runs out of descriptors it waits a little, longer each time, instead
// of turning on the spot.
func (s *Server) accept(ctx context.Context, lot *idle.Lot, l bound) {
	var pause time.Duration
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			if !s.guard(func() { s.admit(ctx, lot, l.conf, conn) }) {
				_ = conn.Close()
			}
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

// ServeConn serves a control connection that somebody else has accepted, as one
// of the listener called name in the configuration, and returns when its session
// has ended. It closes conn. It may be called at any time between New and
// Shutdown, beside Serve or without; when ctx ends, the session is ended at once.
// The error says that the session never began.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn, name string) error {
	i := slices.IndexFunc(s.conf.Listeners, func(l Listener) bool { return l.Name == name })
	if i < 0 {
		_ = conn.Close()
		return fmt.Errorf("edge: there is no listener %q", name)
	}
	conf, err := s.session(ctx, s.conf.Listeners[i])
	if err != nil {
		_ = conn.Close()
		return err
	}
	sess := s.begin(conf, conn)
	if sess == nil {
		return errors.New("edge: the connection was turned away: it is banned, there are too many sessions, or the server is shutting down")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.abortable(sess.ID(), cancel)
	defer s.abortable(sess.ID(), nil)
	s.own(ctx, nil, sess)
	return nil
}

// abortable says how what bears this number is ended at once: a session of
// ServeConn, or Serve (0). A nil function takes it back.
func (s *Server) abortable(id uint64, cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel == nil {
		delete(s.aborts, id)
		return
	}
	s.aborts[id] = cancel
}

// admit begins the session of a connection, or turns it away with 421.
func (s *Server) admit(ctx context.Context, lot *idle.Lot, conf *pi.Config, conn net.Conn) {
	if sess := s.begin(conf, conn); sess != nil {
		go s.own(ctx, lot, sess)
	}
}

// busy is what a client hears for which a budget has no room.
const busy = "The server is busy; try again later."

// begin makes the session of a connection, which own must then be called with,
// or turns the connection away and returns nil.
func (s *Server) begin(conf *pi.Config, conn net.Conn) *pi.Session {
	peer, local := addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	if !s.defence.admit(peer.Addr()) {
		s.dismiss(conf, conn, unwelcome())
		return nil
	}
	switch s.gate.enter(peer.Addr()) {
	case tooMany:
		s.turnAway(conf, conn, peer, policy.Event{Kind: policy.EventMaxCons}, or(s.conf.Replies.MaxSessions, "Too many sessions; try again later."))
		return nil
	case tooManyOfOne:
		s.defence.crowding(peer.Addr())
		s.turnAway(conf, conn, peer, policy.Event{Kind: policy.EventMaxConsPerIP}, or(s.conf.Replies.MaxSessionsPerIP, "Too many sessions from your address."))
		return nil
	case noDescriptors:
		s.turnAway(conf, conn, peer, policy.Event{Kind: policy.EventMaxCons, Text: "descriptors"}, or(s.conf.Replies.MaxSessions, busy))
		return nil
	case noMemory:
		s.turnAway(conf, conn, peer, policy.Event{Kind: policy.EventMaxCons, Text: "memory"}, or(s.conf.Replies.MaxSessions, busy))
		return nil
	}
	s.tune(conn)
	s.mu.Lock()
	if s.draining() { // under the lock: nobody begins behind Shutdown's back
		s.mu.Unlock()
		s.gate.leave(peer.Addr())
		_ = conn.Close()
		return nil
	}
	s.last++
	sess := pi.NewSession(conf, s.last, conn, local, peer)
	s.sessions[sess.ID()] = sess
	s.running.Add(1)
	s.mu.Unlock()
	return sess
}

// tune sets what the control connection's socket can do for us.
func (s *Server) tune(conn net.Conn) {
	inlineUrgent(conn)
	if tcp, ok := conn.(*net.TCPConn); ok && s.conf.Transfer.Nagle {
		_ = tcp.SetNoDelay(false)
	}
}

// said is a reply before there is a session: in the default language.
func said(conf *pi.Config, r wire.Reply) []byte {
	return r.In(conf.Languages.Default().Say).AppendEncoded(nil, conf.Charset.Encode)
}

// or returns r, or by default 421 with a text.
func or(r wire.Reply, text string) wire.Reply {
	if r.IsZero() {
		return wire.Say(wire.CodeNotAvailable, "%s", text)
	}
	return r
}

// turnAway answers 421 and tells the observers.
func (s *Server) turnAway(conf *pi.Config, conn net.Conn, peer netip.AddrPort, why policy.Event, r wire.Reply) {
	lease := s.chain.Lease(0)
	meta := policy.Meta{Time: time.Now(), Request: 1, Session: &policy.Session{ID: 0, Peer: peer, Listener: conf.Name}}
	why.Meta = meta
	lease.Observe(why)
	meta.Request++
	lease.Observe(policy.Event{Kind: policy.EventDisconnect, Meta: meta})
	lease.Release()
	s.dismiss(conf, conn, r)
}

// dismiss answers 421. The few bytes fit into the socket's buffer, so that the
// accepting goroutine does not wait for the client. Whoever is banned is told no more
// than that, and observers are told of the ban alone: holding him would cost a
// descriptor of ours for one of his.
func (s *Server) dismiss(conf *pi.Config, conn net.Conn, r wire.Reply) {
	if !conf.Implicit {
		_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = conn.Write(said(conf, r))
	}
	_ = conn.Close()
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}
