package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// ErrTurnedAway says that a session did not begin: its address is banned, there are too
// many sessions, or the server is draining. That of Server.Visit wraps the pi.Limit as well.
var ErrTurnedAway = errors.New("edge: the connection was turned away")

// turnedAway is ErrTurnedAway with the reason.
func turnedAway(why error) error { return fmt.Errorf("%w: %w", ErrTurnedAway, why) }

// Visitor is the client of a session that speaks another protocol than FTP, such as HTTP.
type Visitor struct {
	Peer, Local netip.AddrPort       // the ends of its connection
	Protocol    string               // "http/1.1", "h2", "h3": policy.Session.Protocol
	TLS         *tls.ConnectionState // that protects the connection; nil: nothing does
}

// Visit is a session whose commands are carried out for another protocol than FTP: what its
// client may do, what policies are asked and observers told, limits, throttles, and how it
// is listed and ended, are those of any session. It does one thing at a time; its methods
// may be called from any goroutine.
type Visit struct {
	server *Server
	desk   *desk
	sess   *pi.Session
	mu     sync.Mutex // who holds it owns the session
	over   bool
}

// Visit begins a session of the listener called name in the configuration, which need not
// have an address. While the server is paused it waits. The error is ErrTurnedAway and a
// pi.Limit, or says that there is no such listener. The visit must be closed.
func (s *Server) Visit(ctx context.Context, name string, who Visitor) (*Visit, error) {
	if !s.unpaused(ctx) {
		return nil, turnedAway(pi.LimitShutdown)
	}
	v := &Visit{server: s, desk: newDesk(who)}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.desk.wake = v.wake
	sess, err := s.beginAs(ctx, v.desk, name)
	if err == nil && sess == nil {
		err = turnedAway(cmp.Or(v.desk.refused, error(pi.LimitShutdown)))
	}
	if err != nil {
		_ = v.desk.Close()
		return nil, err
	}
	v.sess = sess
	s.abortable(sess.ID(), func() { _ = v.desk.Close() })
	return v, nil
}

// ID returns the session's number.
func (v *Visit) ID() uint64 { return v.sess.ID() }

// Closed reports whether the session has ended.
func (v *Visit) Closed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.over
}

// Do carries one command out, and returns the last reply to it: a zero one if the session
// has ended before. Where a command could not be done, the reply's Cause says why; see
// pi.ErrRefused. When ctx ends, so do the command and the session.
func (v *Visit) Do(ctx context.Context, e pi.Errand) wire.Reply {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return wire.Reply{}
	}
	stop := context.AfterFunc(ctx, func() { _ = v.desk.Close() })
	defer stop()
	return v.perform(ctx, e)
}

// perform is called by the owner.
func (v *Visit) perform(ctx context.Context, e pi.Errand) (r wire.Reply) {
	open := false
	defer func() {
		if p := recover(); p != nil {
			v.server.guard(func() { v.sess.Panic(p) })
			r = wire.Say(wire.CodeLocalError, "The server made a mistake; the command was given up.")
		}
		if !open {
			v.forget()
		}
	}()
	v.server.awake.Add(1)
	defer v.server.awake.Add(-1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // its end closes the desk: the client has gone, and not the server
	defer cancel()
	if v.desk.closed.Load() {
		cancel()
	}
	r, open = v.sess.Perform(ctx, e)
	return r
}

// forget takes away what the server knows of the session. The caller owns it.
func (v *Visit) forget() {
	if v.over {
		return
	}
	v.over = true
	_ = v.desk.Close()
	v.server.abortable(v.sess.ID(), nil)
	v.server.forget(v.sess)
}

// Close ends the session. It waits for what it does.
func (v *Visit) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.over {
		v.perform(context.Background(), pi.Errand{Verb: "QUIT"})
		v.forget()
	}
}

// wake has a session that does nothing see that it is to end.
func (v *Visit) wake() {
	go v.server.guard(func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if !v.over && v.sess != nil {
			v.perform(context.Background(), pi.Errand{})
		}
	})
}

// desk stands for the control connection of a visit: nobody writes commands to it, and
// nobody reads what is written. It is a pi.Carrier.
type desk struct {
	net.Conn // what is read from: nothing comes
	other    net.Conn
	who      Visitor
	refused  error // why no session has begun, if it was said: the Cause of the reply
	closed   atomic.Bool
	wake     func() // called when somebody else than the owner wants its attention
}

func newDesk(who Visitor) *desk {
	d := &desk{who: who}
	d.Conn, d.other = net.Pipe()
	return d
}

// Write implements net.Conn.
func (d *desk) Write(b []byte) (int, error) { return len(b), nil }

// Close implements net.Conn.
func (d *desk) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	_ = d.other.Close()
	err := d.Conn.Close()
	d.wake()
	return err
}

// SetReadDeadline implements net.Conn. A deadline in the past is how an owner is called
// that waits for commands (pi.Session.Interrupt).
func (d *desk) SetReadDeadline(t time.Time) error {
	err := d.Conn.SetReadDeadline(t)
	if !t.IsZero() && time.Since(t) > time.Hour {
		d.wake()
	}
	return err
}

// LocalAddr implements net.Conn.
func (d *desk) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(d.who.Local) }

// RemoteAddr implements net.Conn.
func (d *desk) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(d.who.Peer) }

// Protocol implements pi.Carrier.
func (d *desk) Protocol() string { return d.who.Protocol }

// TLS implements pi.Carrier.
func (d *desk) TLS() *tls.ConnectionState { return d.who.TLS }

// Port implements pi.Carrier: who performs an errand brings its data connection.
func (d *desk) Port(string) (dtp.Port, string, error) {
	return nil, "", wire.Say(wire.CodeNotImplemented, "QDAT needs FTP over QUIC.")
}

var _ pi.Carrier = (*desk)(nil)
