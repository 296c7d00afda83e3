package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/quicnet"
)

// udpPort is a UDP port on which QUIC is spoken. A listener of FTP and one of HTTP may share
// it: the face says what clients get now.
type udpPort struct {
	address string
	limits  *config.QUIC // the first that were said: others need an upgrade
	late    bool         // it was the predecessor's when it was to be bound
	begun   bool         // clients are let in, or will be as soon as it is bound
	face    atomic.Pointer[face]

	mu     sync.Mutex
	closed bool
	socket net.PacketConn // nil before bind
	quic   *quicnet.Listener
}

// face is what a UDP port offers; of each of the two, nil is that it is not.
type face struct {
	side      *side
	site      *site
	ftp, http *tls.Config
}

// bind binds the port, unless it is bound.
func (p *udpPort) bind(ctx context.Context) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket == nil {
		var lc net.ListenConfig
		p.socket, err = lc.ListenPacket(ctx, "udp", p.address)
	}
	return err
}

// open begins to take connections, for whatever the face is then.
func (p *udpPort) open(in *instance) (err error) {
	limits := p.limits
	conf := quicnet.Config{TLS: &tls.Config{GetConfigForClient: p.choose}, FTP: true, HTTP: in.recovering(http.HandlerFunc(p.answer)), HTTPContext: p.context,
		Admit: func(peer netip.Addr) bool { return in.server.Welcomes(peer) }, Log: in.log,
		Limits: quicnet.Limits{ControlSessions: limits.ControlSessions, Requests: limits.Requests, Streams: limits.Streams,
			ConnectionsPerAddress: unlimited(limits.ConnectionsPerIP), HandshakesPerSecond: unlimited(limits.Handshakes), Idle: limits.Idle, Unused: limits.Unused}}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.quic != nil {
		return nil
	}
	if p.quic, err = quicnet.Listen(p.socket, conf); err == nil {
		from := p.quic
		go in.guard(func() { p.bring(from) })
	}
	return err
}

// choose implements tls.Config.GetConfigForClient.
func (p *udpPort) choose(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	f := p.face.Load()
	switch {
	case f == nil:
		return nil, errors.New("nothing is served here yet")
	case f.http == nil || f.ftp != nil && slices.Contains(hello.SupportedProtos, quicnet.ProtocolFTP):
		return chosen(f.ftp, hello, quicnet.ProtocolFTP)
	}
	return chosen(f.http, hello, quicnet.ProtocolHTTP)
}

// siteKey is where the context of a connection of HTTP/3 has its site.
type siteKey struct{}

// context is quicnet.Config.HTTPContext.
func (p *udpPort) context(ctx context.Context) context.Context {
	f := p.face.Load()
	if f == nil || f.site == nil {
		return ctx
	}
	return context.WithValue(f.site.handler.Connection(ctx), siteKey{}, f.site)
}

// answer answers a request of HTTP/3 from the site that its connection has begun with.
func (p *udpPort) answer(w http.ResponseWriter, r *http.Request) {
	if s, ok := r.Context().Value(siteKey{}).(*site); ok {
		s.handler.ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// bring hands control streams to the side that the server accepts from, until the port is
// closed.
func (p *udpPort) bring(from *quicnet.Listener) {
	for {
		c, err := from.Accept()
		if err != nil {
			return
		}
		if f := p.face.Load(); f == nil || f.side == nil || !f.side.give(c) {
			_ = c.Close()
		}
	}
}

// close takes no more connections, and lets what there is go on until ctx ends.
func (p *udpPort) close(ctx context.Context) {
	p.mu.Lock()
	quic, bound := p.quic, p.socket
	p.closed = true
	p.mu.Unlock()
	switch {
	case quic != nil:
		_ = quic.Shutdown(ctx) // its error is that not all have gone by themselves
	case bound != nil:
		_ = bound.Close() // nobody was let in
	}
}

// local is where the port is; what it is to be while a predecessor has it.
func (p *udpPort) local() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket != nil {
		return p.socket.LocalAddr()
	}
	at, _ := net.ResolveUDPAddr("udp", p.address)
	return at
}

// stats are what was seen there; false before it is open.
func (p *udpPort) stats() (st quicnet.Stats, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quic == nil {
		return st, false
	}
	return p.quic.Stats(), true
}

// side is a net.Listener of the FTP of a UDP port, which goes on without it.
type side struct {
	*feed
	port *udpPort

	mu   sync.Mutex
	late chan struct{} // closed while a deadline has passed
}

func newSide(p *udpPort) *side { return &side{feed: newFeed(), port: p, late: make(chan struct{})} }

// Accept implements net.Listener. While a deadline of SetDeadline has passed, streams wait.
func (s *side) Accept() (net.Conn, error) {
	s.mu.Lock()
	late := s.late
	s.mu.Unlock()
	select { // which of several is ready must not be left to luck
	case <-s.closed:
		return nil, net.ErrClosed
	case <-late:
		return nil, os.ErrDeadlineExceeded
	default:
	}
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	case <-late:
		return nil, os.ErrDeadlineExceeded
	}
}

// SetDeadline calls Accept back, or takes that back (the zero time), as edge.Server.Pause
// wants it; a time to come is none.
func (s *side) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := isDone(s.late)
	switch passed := !t.IsZero() && !t.After(time.Now()); {
	case passed && !past:
		close(s.late)
	case !passed && past:
		s.late = make(chan struct{})
	}
	return nil
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Addr implements net.Listener.
func (s *side) Addr() net.Addr { return s.port.local() }

// inUse reports whether another socket has the address.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
