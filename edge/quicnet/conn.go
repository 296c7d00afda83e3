package quicnet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// Conn is the control connection of one session: a bidirectional stream whose bytes are
// those of RFC 959. Several may share a QUIC connection, and then its end.
type Conn struct {
	control
	link *link

	mu     sync.Mutex
	ports  map[*port]struct{}
	closed bool
}

// Protocol is ProtocolFTP.
func (c *Conn) Protocol() string { return ProtocolFTP }

// TLS is the handshake of the QUIC connection.
func (c *Conn) TLS() *tls.ConnectionState {
	cs := c.conn.ConnectionState().TLS
	return &cs
}

// bindingLabel is that of Binding (RFC 5705, RFC 8446 §7.5).
const bindingLabel = "EXPORTER-edgeftp-ftpq"

// Binding returns 32 bytes that only the two ends of the connection know, so that a login
// can be bound to it (RFC 9266 has the idea). They are the same for all of its sessions;
// nil where there are none.
func (c *Conn) Binding() []byte { return binding(c.conn) }

func binding(conn *quic.Conn) []byte {
	cs := conn.ConnectionState().TLS
	b, err := cs.ExportKeyingMaterial(bindingLabel, nil, 32)
	if err != nil {
		return nil
	}
	return b
}

// Port prepares a data stream (QDAT) under a token of the client's, or of its own where
// that is empty, and returns the token. It fails where the text is no token, the token was
// used before (ErrUsed), or too many are prepared; the errors are worded for a reply. The
// port has OpenFor besides Open; it is given up with the session.
func (c *Conn) Port(token string) (dtp.Port, string, error) {
	t := NewToken()
	if token != "" {
		var err error
		if t, err = ParseToken(token); err != nil {
			return nil, "", err
		}
	}
	s, err := c.link.desk.expect(t)
	if err != nil {
		return nil, "", err
	}
	p := &port{conn: c, slot: s, wait: c.link.listener.conf.Limits.Wait}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.ports[p] = struct{}{}
	}
	c.mu.Unlock()
	if closed {
		c.link.desk.drop(s, CodeAborted)
		return nil, "", errors.New("the session has ended")
	}
	return p, t.String(), nil
}

// release forgets a port that is used up.
func (c *Conn) release(p *port) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ports, p)
}

// Moved has f called when the peer's address has changed, with the new one: within about
// a second, for as long as the session is open, in a goroutine that f must not keep. nil
// takes it back.
func (c *Conn) Moved(f func(netip.AddrPort)) { c.link.listener.moves.watch(c, f) }

// CloseWith closes the QUIC connection, with all of its sessions.
func (c *Conn) CloseWith(why Code) error {
	c.link.end(why)
	return c.Close()
}

// Close ends the session and gives up its ports. Data streams that are open go on until
// they are closed. The QUIC connection stays, for the client's next session.
func (c *Conn) Close() error {
	if c.leave() {
		return c.control.Close()
	}
	return nil
}

// refuse ends a session that nobody has accepted.
func (c *Conn) refuse(why Code) {
	c.leave()
	c.abort(why)
}

// leave does what Close does beside the stream. It returns false the second time.
func (c *Conn) leave() bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	c.closed = true
	ports := c.ports
	c.ports = nil
	c.mu.Unlock()
	for p := range ports {
		_ = p.Close()
	}
	c.link.listener.moves.watch(c, nil)
	c.link.listener.counts.change(func(s *Stats) { s.Sessions-- })
	c.link.finish()
	return true
}

// String says what the connection is, for logs.
func (c *Conn) String() string {
	return fmt.Sprintf("%s of %s, stream %d", ProtocolFTP, c.RemoteAddr(), c.stream.StreamID())
}
