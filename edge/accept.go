package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
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
		if sess, late := s.begin(g, door{conf: conf}, conn); !late {
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

// admit brings a connection to its door, or has it wait for what a proxy says of it.
func (s *Server) admit(ctx context.Context, l *bound, conn net.Conn) {
	if d := s.now.Load().doors[l]; d.conf != nil && d.conf.Proxies != nil {
		s.receive(ctx, l, d.conf.Proxies, conn)
		return
	}
	s.welcome(ctx, l, conn)
}

// welcome begins the session of a connection, hands it on, or turns it away.
func (s *Server) welcome(ctx context.Context, l *bound, conn net.Conn) {
	for late := true; late; {
		g := s.now.Load()
		switch d := g.doors[l]; {
		case d.conf == nil: // the listener is no more
			_ = conn.Close()
			return
		case d.handOn != nil:
			late = s.handOn(g, d, conn)
		default:
			var sess *pi.Session
			if sess, late = s.begin(g, d, conn); sess != nil {
				go s.own(ctx, s.parkedIn(), sess)
			}
		}
	}
}

// nameOf is the name that a listener has now, or has had last.
func (s *Server) nameOf(l *bound) string {
	if d := s.now.Load().doors[l]; d.conf != nil {
		return d.conf.Name
	}
	return l.address
}
