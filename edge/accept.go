package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// serving is what Serve has begun.
type serving struct {
	ctx   context.Context
	quiet *sync.Cond    // of Server.mu: a listener has ended
	open  int           // listeners that connections are accepted on
	dead  chan struct{} // closed when there are listeners and none of them is open
	end   sync.Once     // closes dead
}

// receiving accepts connections on all listeners until the server drains, or until the
// last of them was closed by somebody else.
func (s *Server) receiving(ctx context.Context) {
	s.mu.Lock()
	v := &serving{ctx: ctx, quiet: sync.NewCond(&s.mu), dead: make(chan struct{})}
	s.serving = v
	s.serve(s.listeners)
	s.mu.Unlock()
	select {
	case <-s.drain:
	case <-v.dead:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for v.open > 0 {
		v.quiet.Wait()
	}
}

// serve begins to accept connections on listeners. The caller holds mu.
func (s *Server) serve(list []*bound) {
	v := s.serving
	v.open += len(list)
	for _, l := range list {
		go func() {
			defer func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				v.open--
				v.quiet.Broadcast()
				if v.open == 0 && len(s.listeners) > 0 {
					v.end.Do(func() { close(v.dead) })
				}
			}()
			s.accept(v.ctx, l)
		}()
	}
}

// accept admits control connections of one listener until it is closed. When the
// process runs out of descriptors it waits a little, longer each time, instead
// of turning on the spot.
func (s *Server) accept(ctx context.Context, l *bound) {
	var pause time.Duration
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			if !s.guard(func() { s.admit(ctx, l, conn) }) {
				_ = conn.Close()
			}
		case errors.Is(err, net.ErrClosed):
			return
		case called(err):
			s.rest()
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Warn("a connection could not be accepted", "listener", s.nameOf(l), "error", err, "retry_in", pause)
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
// has ended. It closes conn. What a proxy says of it has to be read before
// ([dtp.Proxies.Meet]). It may be called at any time between New and
// Shutdown, beside Serve or without; when ctx ends, the session is ended at once.
// The error says that the session never began.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn, name string) error {
	sess, err := s.beginAs(ctx, conn, name)
	if err != nil {
		_ = conn.Close()
		return err
	}
	if sess == nil {
		return ErrTurnedAway
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.abortable(sess.ID(), cancel)
	defer s.abortable(sess.ID(), nil)
	defer context.AfterFunc(ctx, sess.Interrupt)() // it may wait for a command
	s.own(ctx, nil, sess)
	return nil
}

// beginAs makes the session of a connection of ServeConn; it is nil where that was
// turned away.
func (s *Server) beginAs(ctx context.Context, conn net.Conn, name string) (*pi.Session, error) {
	for {
		g := s.now.Load()
		i := slices.IndexFunc(g.conf.Listeners, func(l Listener) bool { return l.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("edge: there is no listener %q", name)
		}
		conf, err := s.session(ctx, g, g.conf.Listeners[i])
		if err != nil {
			return nil, err
		}
		if sess, late := s.begin(g, conf, conn); !late {
			return sess, nil
		}
	}
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

// admit begins the session of a connection, or has it wait for what a proxy says of it.
func (s *Server) admit(ctx context.Context, l *bound, conn net.Conn) {
	if conf := s.now.Load().doors[l]; conf != nil && conf.Proxies != nil {
		s.receive(ctx, l, conf.Proxies, conn)
		return
	}
	s.welcome(ctx, l, conn)
}

// welcome begins the session of a connection, or turns it away with 421.
func (s *Server) welcome(ctx context.Context, l *bound, conn net.Conn) {
	for {
		g := s.now.Load()
		conf := g.doors[l]
		if conf == nil { // the listener is no more
			_ = conn.Close()
			return
		}
		sess, late := s.begin(g, conf, conn)
		if sess != nil {
			go s.own(ctx, s.parkedIn(), sess)
		}
		if !late {
			return
		}
	}
}

// nameOf is the name that a listener has now, or has had last.
func (s *Server) nameOf(l *bound) string {
	if conf := s.now.Load().doors[l]; conf != nil {
		return conf.Name
	}
	return l.address
}

// busy is what a client hears for which a budget has no room.
const busy = "The server is busy; try again later."

// goingAway is what a client hears while the server is held.
const goingAway = "The server takes no new sessions; try again later."

// begin makes the session of a connection, which own must then be called with,
// or turns the connection away and returns nil. It is late where the generation was
// replaced in the meantime: then nothing was done.
func (s *Server) begin(g *generation, conf *pi.Config, conn net.Conn) (sess *pi.Session, late bool) {
	peer, local := dtp.AddrPort(conn.RemoteAddr()), dtp.AddrPort(conn.LocalAddr())
	if !s.defence.admit(peer.Addr()) {
		s.dismiss(conf, conn, unwelcome())
		return nil, false
	}
	if s.held.Load() {
		s.turnAway(conf, conn, peer, policy.Event{Kind: policy.EventMaxCons, Text: "draining"}, pi.LimitHold.Refuses(wire.Say(wire.CodeNotAvailable, "%s", goingAway)))
		return nil, false
	}
	switch s.gate.enter(peer.Addr()) {
	case tooMany:
		s.turnAway(conf, conn, peer, policy.Event{Kind: policy.EventMaxCons}, pi.LimitSessions.Refuses(or(g.conf.Replies.MaxSessions, "Too many sessions; try again later.")))
		return nil, false
	case tooManyOfOne:
		s.defence.crowding(peer.Addr())
		s.turnAway(conf, conn, peer, policy.Event{Kind: policy.EventMaxConsPerIP}, pi.LimitAddress.Refuses(or(g.conf.Replies.MaxSessionsPerIP, "Too many sessions from your address.")))
		return nil, false
	case noDescriptors:
		s.turnAway(conf, conn, peer, policy.Event{Kind: policy.EventMaxCons, Text: "descriptors"}, pi.LimitBudget.Refuses(or(g.conf.Replies.MaxSessions, busy)))
		return nil, false
	case noMemory:
		s.turnAway(conf, conn, peer, policy.Event{Kind: policy.EventMaxCons, Text: "memory"}, pi.LimitBudget.Refuses(or(g.conf.Replies.MaxSessions, busy)))
		return nil, false
	}
	s.mu.Lock()
	if s.now.Load() != g {
		s.mu.Unlock()
		s.gate.leave(peer.Addr())
		return nil, true
	}
	if s.draining() { // under the lock: nobody begins behind Shutdown's back
		s.mu.Unlock()
		s.gate.leave(peer.Addr())
		_ = conn.Close()
		return nil, false
	}
	s.last++
	g.open++
	sess = pi.NewSession(conf, s.last, conn, local, peer)
	s.sessions[sess.ID()] = sess
	s.running.Add(1)
	s.mu.Unlock()
	g.tune(conn)
	return sess, false
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
func (s *Server) turnAway(conf *pi.Config, conn net.Conn, peer netip.AddrPort, why policy.Event, r wire.Reply) {
	lease := s.chain.LeaseOf(0, conf.VHost)
	meta := policy.Meta{Time: time.Now(), Request: 1, Session: &policy.Session{ID: 0, Peer: peer, Listener: conf.Name, VHost: conf.VHost}}
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
	if d, ok := conn.(*desk); ok {
		d.refused = r.Cause
	} else if !conf.Implicit {
		_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = conn.Write(said(conf, r))
	}
	_ = conn.Close()
}
