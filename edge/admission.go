package edge

import (
	"net"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// door is what the connections of a listener come to. The zero value is none.
type door struct {
	conf   *pi.Config
	handOn func(net.Conn) // nil: sessions begin
}

// headcount is by what the connections of a door count.
func (s *Server) headcount(d door) *headcount {
	if d.handOn != nil {
		return &s.gate.handed
	}
	return &s.gate.sessions
}

// busy is what a client hears for which a budget has no room.
const busy = "The server is busy; try again later."

// goingAway is what a client hears while the server is held.
const goingAway = "The server takes no new sessions; try again later."

// begin makes the session of a connection, which own must then be called with,
// or turns the connection away and returns nil. It is late where the generation was
// replaced in the meantime: then nothing was done.
func (s *Server) begin(g *generation, d door, conn net.Conn) (sess *pi.Session, late bool) {
	peer, local := dtp.AddrPort(conn.RemoteAddr()), dtp.AddrPort(conn.LocalAddr())
	if !s.passes(g, d, conn, peer) {
		return nil, false
	}
	in, late := s.settle(g, d, conn, func() {
		s.last++
		g.open++
		sess = pi.NewSession(d.conf, s.last, conn, local, peer)
		s.sessions[sess.ID()] = sess
	})
	if in {
		g.tune(conn)
	}
	return sess, late
}

// passes lets a connection through the gate, which it must leave then, or turns it away.
func (s *Server) passes(g *generation, d door, conn net.Conn, peer netip.AddrPort) bool {
	if !s.defence.admit(peer.Addr()) {
		s.dismiss(d, conn, unwelcome())
		return false
	}
	if s.held.Load() {
		s.turnAway(d, conn, peer, policy.Event{Kind: policy.EventMaxCons, Text: "draining"}, pi.LimitHold.Refuses(wire.Say(wire.CodeNotAvailable, "%s", goingAway)))
		return false
	}
	switch s.gate.enter(s.headcount(d), peer.Addr()) {
	case tooMany:
		s.turnAway(d, conn, peer, policy.Event{Kind: policy.EventMaxCons}, pi.LimitSessions.Refuses(or(g.conf.Replies.MaxSessions, "Too many sessions; try again later.")))
	case tooManyOfOne:
		s.defence.crowding(peer.Addr())
		s.turnAway(d, conn, peer, policy.Event{Kind: policy.EventMaxConsPerIP}, pi.LimitAddress.Refuses(or(g.conf.Replies.MaxSessionsPerIP, "Too many sessions from your address.")))
	case noDescriptors:
		s.turnAway(d, conn, peer, policy.Event{Kind: policy.EventMaxCons, Text: "descriptors"}, pi.LimitBudget.Refuses(or(g.conf.Replies.MaxSessions, busy)))
	case noMemory:
		s.turnAway(d, conn, peer, policy.Event{Kind: policy.EventMaxCons, Text: "memory"}, pi.LimitBudget.Refuses(or(g.conf.Replies.MaxSessions, busy)))
	default:
		return true
	}
	return false
}

// settle has what passes let through begin with a generation, under the lock: nobody begins
// behind Shutdown's back. What has not begun has left the gate; it is late where the
// generation was replaced in the meantime, else the connection is closed. Who is in must be
// taken off Server.running.
func (s *Server) settle(g *generation, d door, conn net.Conn, begin func()) (in, late bool) {
	s.mu.Lock()
	late = s.now.Load() != g
	if in = !late && !s.draining(); in {
		s.running.Add(1)
		begin()
	}
	s.mu.Unlock()
	if !in {
		s.gate.leave(s.headcount(d), dtp.AddrPort(conn.RemoteAddr()).Addr())
	}
	if !in && !late {
		_ = conn.Close()
	}
	return in, late
}

// tune sets what the control connection's socket can do for us.
func (g *generation) tune(conn net.Conn) {
	inlineUrgent(conn)
	if tcp := dtp.TCP(conn); tcp != nil && g.conf.Transfer.Nagle {
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
func (s *Server) turnAway(d door, conn net.Conn, peer netip.AddrPort, why policy.Event, r wire.Reply) {
	lease := s.chain.LeaseOf(0, d.conf.VHost)
	meta := policy.Meta{Time: time.Now(), Request: 1, Session: &policy.Session{ID: 0, Peer: peer, Listener: d.conf.Name, VHost: d.conf.VHost}}
	why.Meta = meta
	lease.Observe(why)
	meta.Request++
	lease.Observe(policy.Event{Kind: policy.EventDisconnect, Meta: meta})
	lease.Release()
	s.dismiss(d, conn, r)
}

// dismiss answers 421, but for connections that would be handed on, and where TLS comes
// first. The few bytes fit into the socket's buffer, so that the
// accepting goroutine does not wait for the client. Whoever is banned is told no more
// than that, and observers are told of the ban alone: holding him would cost a
// descriptor of ours for one of his.
func (s *Server) dismiss(d door, conn net.Conn, r wire.Reply) {
	if at, ok := conn.(*desk); ok {
		at.refused = r.Cause
	} else if d.handOn == nil && !d.conf.Implicit {
		_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = conn.Write(said(d.conf, r))
	}
	_ = conn.Close()
}
