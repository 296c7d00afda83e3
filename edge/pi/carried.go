package pi

import (
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Carrier is a control connection that something else than TCP carries: a stream of QUIC
// (docs/ftpq.md), or what stands for one where a request of HTTP is carried out. What it is
// protected with is there from its beginning, and so are its data connections: AUTH, PASV,
// EPSV, PORT and EPRT have no place on it.
type Carrier interface {
	net.Conn
	// Protocol is its name for policies and events, such as "ftpq/1" or "h2". It does not
	// change.
	Protocol() string
	// TLS is the handshake that protects it and its data connections; nil: nothing does.
	TLS() *tls.ConnectionState
	// Port prepares a data connection (QDAT) under a token of the client's, or, where that
	// is empty, of its own, and returns the token. An error that is a wire.Reply is the
	// client's answer; any other is answered with 501.
	Port(token string) (dtp.Port, string, error)
}

// Binder is a Carrier that can tell what is known to its two ends alone (RFC 5705, RFC
// 9266 §2), so that an authorizer may bind a login to the connection.
type Binder interface {
	// Binding is those bytes; nil where there are none.
	Binding() []byte
}

// Mover is a Carrier whose client may go on from another address (RFC 9000 §9).
type Mover interface {
	// Moved has f called soon after that, in a goroutine that f must not keep.
	Moved(f func(netip.AddrPort))
}

// carrier returns the control connection if it is carried by something else than TCP; nil
// if it is not.
func (s *Session) carrier() Carrier {
	c, _ := s.raw.(Carrier)
	return c
}

// board begins a session on a carrier as secure does on TCP, but for the handshake.
func (s *Session) board(c Carrier) {
	s.who.Protocol = c.Protocol()
	if cs := c.TLS(); cs != nil {
		s.link.tls = &dtp.Control{Name: cs.ServerName}
		s.who.TLS = tlsFacts(*cs)
		s.with.protect, s.who.DataTLS = true, true
	}
	if m, ok := c.(Mover); ok {
		m.Moved(func(netip.AddrPort) { s.Interrupt() }) // the owner follows
	}
	s.belong(s.unnamed())
	s.publish()
}

// sealedBelow reports whether a carrier protects the session and its data connections.
func (s *Session) sealedBelow() bool {
	c := s.carrier()
	return c != nil && c.TLS() != nil
}

// binding is what an authorizer may bind the login to.
func (s *Session) binding() []byte {
	if b, ok := s.raw.(Binder); ok {
		return b.Binding()
	}
	return nil
}

// follows takes note of a client that goes on from another address (RFC 9000 §9), and ends
// the session where nobody of that address may have it.
func (s *Session) follows() {
	if s.carrier() == nil {
		return
	}
	peer, before := dtp.AddrPort(s.raw.RemoteAddr()), s.who.Peer
	if peer == before || !peer.IsValid() {
		return
	}
	s.who.Peer, s.copied = peer, nil
	s.publish()
	if s.conf.Moved != nil {
		s.conf.Moved(before.Addr(), peer.Addr())
	}
	s.event(policy.Event{Kind: policy.EventClientMoved, Text: before.String()})
	if s.rank.in && !mayCome(&s.rank.id, peer.Addr()) || !s.conf.defence().Welcome(peer.Addr()) {
		s.say(wire.Say(wire.CodeNotAvailable, "You have moved to an address from which you may not come; closing the control connection."))
		s.link.closed = true
	}
}

// mayCome reports whether a session may be used from an address.
func mayCome(id *policy.Identity, a netip.Addr) bool {
	return (len(id.Networks) == 0 || within(id.Networks, a)) && !within(id.DenyNetworks, a)
}

// within reports whether an address lies in one of some networks.
func within(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// notHere answers what prepares a data connection in TCP's ways where there is none of TCP.
func notHere() Outcome {
	return Say(wire.CodeWrongFamily, "Data connections are streams here: send QDAT.")
}

// quicData is QDAT (docs/ftpq.md): it prepares the stream of the next transfer.
func quicData(s *Session, a Args) Outcome {
	c := s.carrier()
	if c == nil {
		return Say(wire.CodeNotImplemented, "QDAT needs FTP over QUIC.")
	}
	s.closePort()
	p, token, err := c.Port(a.Text)
	if err != nil {
		if _, told := err.(wire.Reply); told {
			return s.Fail(err)
		}
		return Say(wire.CodeBadArgument, "That cannot be the token of a data stream: %s.", err.Error())
	}
	s.setPort(p, time.Time{})
	return Say(wire.CodeOK, "%s is the token of the next data stream.", token)
}

// featStreams is what FEAT says of a control connection that is a stream of QUIC.
func featStreams(s *Session) []string {
	if c := s.carrier(); c != nil && c.Protocol() == "ftpq/1" {
		return []string{"FTPQ 1"}
	}
	return nil
}
