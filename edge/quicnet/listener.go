package quicnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// Listener is a net.Listener of the control streams of ftpq/1, and serves HTTP/3, on one
// UDP socket.
type Listener struct {
	conf      Config
	log       *slog.Logger
	socket    net.PacketConn
	transport *quic.Transport
	quic      *quic.Listener
	web       *http3.Server // nil: no HTTP
	gate      *gate
	counts    counts
	moves     moves
	ready     chan *Conn // to Accept
	deadline  deadline
	closed    chan struct{} // closed by Close
	released  chan struct{} // closed when the socket is
	done      chan struct{} // closed when nothing is left

	mu      sync.Mutex
	links   map[*quic.Conn]*link
	closing bool
}

var _ net.Listener = (*Listener)(nil)

// Listen takes QUIC connections on a UDP socket: a *net.UDPConn, or what stands for one at
// the cost of speed. The socket is the Listener's unless Listen fails: it is closed when
// Close or Shutdown has been called and the last connection has ended.
func Listen(socket net.PacketConn, conf Config) (*Listener, error) {
	if err := conf.check(); err != nil {
		return nil, err
	}
	if _, udp := socket.LocalAddr().(*net.UDPAddr); !udp {
		return nil, fmt.Errorf("quicnet: %s is no UDP socket", socket.LocalAddr())
	}
	conf.Limits = conf.Limits.complete()
	if conf.Log == nil {
		conf.Log = slog.New(slog.DiscardHandler)
	}
	l := &Listener{
		conf: conf, log: conf.Log, socket: socket, gate: newGate(conf.Limits),
		ready: make(chan *Conn), closed: make(chan struct{}), released: make(chan struct{}), done: make(chan struct{}),
		links: map[*quic.Conn]*link{},
	}
	if conf.HTTP != nil {
		l.web = l.newWeb()
	}
	l.transport = &quic.Transport{Conn: socket, VerifySourceAddress: l.doubts, ConnContext: l.admit}
	var err error
	if l.quic, err = l.transport.Listen(serverTLS(conf.TLS, conf.protocols()), conf.quic()); err != nil {
		return nil, fmt.Errorf("quicnet: %s: %w", socket.LocalAddr(), err)
	}
	l.moves.try = l.try
	go l.run()
	return l, nil
}

// doubts says whether a client has to show that it is where it says.
func (l *Listener) doubts(a net.Addr) bool {
	yes := l.gate.doubts(dtp.AddrPort(a).Addr(), time.Now())
	if yes {
		l.counts.change(func(s *Stats) { s.Retries++ })
	}
	return yes
}

// errRefused is what the library is told; it answers CONNECTION_REFUSED whatever it is.
var errRefused = errors.New("refused")

// admit counts a connection that begins its handshake, or refuses it.
func (l *Listener) admit(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	a := dtp.AddrPort(info.RemoteAddr).Addr()
	if isClosed(l.closed) { // the library's own listener, closed, would leave clients without an answer
		l.counts.refuse(RefusedClosing)
		return nil, errRefused
	}
	if !l.gate.enter(a) {
		l.counts.refuse(RefusedAddress)
		return nil, errRefused
	}
	if l.conf.Admit != nil && !l.conf.Admit(a) {
		l.gate.leave(a)
		l.counts.refuse(RefusedAdmission)
		return nil, errRefused
	}
	l.counts.change(func(s *Stats) { s.Failed++ }) // until it has come to its end
	context.AfterFunc(ctx, func() {
		l.gate.leave(a)
		if l.conf.Leave != nil {
			l.try(info.RemoteAddr, func() { l.conf.Leave(a) })
		}
	})
	return ctx, nil
}

// run takes connections until the socket is closed.
func (l *Listener) run() {
	defer close(l.done)
	for {
		conn, err := l.quic.Accept(context.Background())
		if err != nil {
			break
		}
		l.enter(conn)
	}
	_ = l.Close() // where the socket was closed by somebody else
	<-l.released
}

// enter begins to serve a connection whose handshake is done.
func (l *Listener) enter(conn *quic.Conn) {
	k := newLink(l, conn)
	l.mu.Lock()
	closing := l.closing
	if !closing {
		l.links[conn] = k
	}
	l.mu.Unlock()
	l.counts.change(func(s *Stats) {
		s.Failed--
		s.Handshakes++
		if !closing {
			*k.counter(s)++
		}
	})
	if closing {
		l.counts.refuse(RefusedClosing)
		k.end(CodeShutdown)
		k.close()
		return
	}
	go l.serve(k)
}

// serve serves a connection until its end.
func (l *Listener) serve(k *link) {
	defer l.left(k)
	l.guard(k, k.serve)
}

// guard does something for a connection, and ends it where that panics.
func (l *Listener) guard(k *link, do func()) {
	if !l.try(k.conn.RemoteAddr(), do) {
		k.end(CodeInternal)
	}
}

// try does something on account of a client. It returns false where that panics.
func (l *Listener) try(peer net.Addr, do func()) (well bool) {
	defer func() {
		if p := recover(); p != nil {
			l.tell(peer.String(), p)
		}
	}()
	do()
	return true
}

// tell logs what has panicked on account of a client, from a deferred function.
func (l *Listener) tell(peer string, p any) {
	l.log.Error("a mistake of the server has hit a QUIC connection", "peer", peer, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// left forgets a connection that has ended.
func (l *Listener) left(k *link) {
	k.close()
	l.counts.change(func(s *Stats) { *k.counter(s)-- })
	l.mu.Lock()
	delete(l.links, k.conn)
	l.mu.Unlock()
	l.release()
}

// release closes the socket when the listener is closed and the last connection gone.
func (l *Listener) release() {
	l.mu.Lock()
	last := l.closing && len(l.links) == 0 && !isClosed(l.released)
	if last {
		close(l.released)
	}
	l.mu.Unlock()
	if last {
		_ = l.socket.Close() // first: a socket without deadlines would keep the transport reading
		_ = l.transport.Close()
	}
}

// Accept returns the next control stream, a *Conn. While a deadline of SetDeadline has
// passed it fails with os.ErrDeadlineExceeded, and streams wait.
func (l *Listener) Accept() (net.Conn, error) {
	late := l.deadline.wait()
	select { // which of several is ready must not be left to luck
	case <-l.closed:
		return nil, l.fault(net.ErrClosed)
	case <-late:
		return nil, l.fault(os.ErrDeadlineExceeded)
	default:
	}
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.closed:
		return nil, l.fault(net.ErrClosed)
	case <-late:
		return nil, l.fault(os.ErrDeadlineExceeded)
	}
}

func (l *Listener) fault(err error) error {
	return &net.OpError{Op: "accept", Net: ProtocolFTP, Addr: l.Addr(), Err: err}
}

// SetDeadline sets that of Accept; the zero time is none.
func (l *Listener) SetDeadline(t time.Time) error {
	if isClosed(l.closed) {
		return l.fault(net.ErrClosed)
	}
	l.deadline.move(t)
	return nil
}

// Addr is the *net.UDPAddr of the socket.
func (l *Listener) Addr() net.Addr { return l.socket.LocalAddr() }

// Stats returns what the listener has seen until now.
func (l *Listener) Stats() Stats { return l.counts.read() }

// Close takes no connections and no sessions any more. Sessions that there are go on, and
// so do the requests of HTTP; a connection without any is closed after a moment, with
// CodeShutdown. When the last has gone, the socket is closed.
func (l *Listener) Close() error {
	l.mu.Lock()
	first := !l.closing
	l.closing = true
	l.mu.Unlock()
	if !first {
		return nil
	}
	close(l.closed)
	l.farewell()
	l.release()
	return nil
}

// farewell has connections end that nothing is done on.
func (l *Listener) farewell() {
	if l.web != nil {
		go l.goAway()
	}
	for _, k := range l.all() {
		k.leave()
	}
}

// goAway tells HTTP's clients to ask for nothing more (RFC 9114 §5.2).
func (l *Listener) goAway() {
	err := l.web.Shutdown(context.Background()) // link ends the connections, and with them this
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		l.log.Warn("HTTP/3 could not be ended in order", "error", err)
	}
}

func (l *Listener) all() (out []*link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.links {
		out = append(out, k)
	}
	return out
}

// Shutdown is Close, and waits until the socket is closed. When ctx ends before, all
// connections are closed at once, with CodeShutdown; the error is then ctx's.
func (l *Listener) Shutdown(ctx context.Context) error {
	_ = l.Close()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
	}
	for _, k := range l.all() {
		k.end(CodeShutdown)
	}
	<-l.done
	return context.Cause(ctx)
}
