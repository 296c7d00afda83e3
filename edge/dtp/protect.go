package dtp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// Binding says how firmly a protected data connection must prove that it belongs
// to its control connection: by resuming the control connection's TLS session,
// which nobody else can.
type Binding uint8

// The bindings. The zero value is BindAuto.
const (
	// BindAuto requires resumption of every client that can be asked for it.
	// One whose control connection showed that it cannot take tickets (curl with
	// TLS 1.2, for one) is held to the source address and the unpredictable port
	// alone.
	BindAuto    Binding = iota
	BindRequire         // no resumption, no transfer
	BindPrefer          // resumption where the client does it
	BindOff             // not looked at
)

// String returns the binding's name in the configuration file.
func (b Binding) String() string {
	switch b {
	case BindRequire:
		return "require"
	case BindPrefer:
		return "prefer"
	case BindOff:
		return "off"
	}
	return "auto"
}

// The ways in which protection fails.
var (
	ErrNotBound  = errors.New("the data connection did not resume the control connection's TLS session")
	ErrHandshake = errors.New("the TLS handshake failed")
)

// HandshakeTime bounds a TLS handshake, on control and data connections alike.
const HandshakeTime = 10 * time.Second

// Tag marks the tickets of one control session. The zero value is none.
type Tag [16]byte

// NewTag returns a tag that cannot be guessed.
func NewTag() Tag {
	var t Tag
	rand.Read(t[:]) // never fails (crypto/rand)
	return t
}

// The protocols (RFC 7301) that control and data connections may name. A client
// that names none is served as well.
const (
	// ProtocolFileZilla on a control connection is what FileZilla's client and
	// server agree on: data connections are protected (PROT P) without being asked
	// for, they are ProtocolData, and they resume. The server-PI must act on it,
	// because the client sends neither PBSZ nor PROT then.
	ProtocolFileZilla = "x-filezilla-ftp"
	// ProtocolControl is any other client's control connection.
	ProtocolControl = "ftp"
	// ProtocolData is a data connection.
	ProtocolData = "ftp-data"
)

const tagPrefix = "edgeftp/1:"

func (t Tag) extra() []byte { return append([]byte(tagPrefix), t[:]...) }

// ControlTLS returns the configuration for one control connection's handshake:
// its tickets carry the tag, and it never resumes, so that every control
// connection authenticates afresh. base must be the one long-lived configuration
// that holds the ticket keys. When the handshake has begun, *tickets says whether
// the client can take tickets at all. When it is done, the connection's negotiated
// protocol says whether Protection.FileZilla is to be set.
func ControlTLS(base *tls.Config, tag Tag, tickets *bool) *tls.Config {
	c := derive(base, func(c *tls.Config) {
		c.NextProtos = []string{ProtocolFileZilla, ProtocolControl} // FileZilla offers both
		c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
			ss.Extra = append(ss.Extra, tag.extra())
			return base.EncryptTicket(cs, ss)
		}
		c.UnwrapSession = func([]byte, tls.ConnectionState) (*tls.SessionState, error) { return nil, nil }
	})
	next := c.GetConfigForClient
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (chosen *tls.Config, err error) {
		if next != nil {
			chosen, err = next(hello)
		}
		used := chosen
		if used == nil {
			used = c
		}
		*tickets = !used.SessionTicketsDisabled && takesTickets(hello, used.MaxVersion)
		if *tickets || err != nil || !slices.Contains(hello.SupportedProtos, ProtocolFileZilla) {
			return chosen, err
		}
		if chosen == nil {
			chosen = c.Clone()
			chosen.GetConfigForClient = nil
		}
		chosen.NextProtos = []string{ProtocolControl} // it could not resume, as the other demands
		return chosen, nil
	}
	return c
}

// derive returns a copy of base that set has changed. What base's own
// GetConfigForClient chooses is changed in the same way, or it would lead around
// the binding.
func derive(base *tls.Config, set func(*tls.Config)) *tls.Config {
	c := base.Clone()
	set(c)
	if choose := base.GetConfigForClient; choose != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if err != nil || chosen == nil {
				return nil, err
			}
			chosen = chosen.Clone()
			chosen.SessionTicketsDisabled = chosen.SessionTicketsDisabled || base.SessionTicketsDisabled
			set(chosen)
			return chosen, nil
		}
	}
	return c
}

// takesTickets reports whether a client can resume a session by a ticket.
func takesTickets(hello *tls.ClientHelloInfo, highest uint16) bool {
	const (
		sessionTicket = 35 // RFC 5077 §3.2
		pskModes      = 45 // RFC 8446 §4.2.9
	)
	extension := uint16(sessionTicket)
	if slices.Contains(hello.SupportedVersions, tls.VersionTLS13) && (highest == 0 || highest >= tls.VersionTLS13) {
		extension = pskModes
	}
	return slices.Contains(hello.Extensions, extension)
}

// Protection is what turns a data connection into a protected one (PROT P, RFC
// 4217 §9).
type Protection struct {
	Base    *tls.Config // as given to ControlTLS
	Tag     Tag         // of the control connection
	Binding Binding     // how the data connection has to prove that it belongs to it
	Tickets bool        // the client can take tickets, as ControlTLS found
	// FileZilla says that the control connection negotiated ProtocolFileZilla: the
	// data connection must then negotiate ProtocolData and resume, whatever Binding
	// says.
	FileZilla bool
	// LenientClose takes an upload that ends without close_notify for a whole one,
	// for clients that never send it. Nobody can tell such an end from a connection
	// that was cut, so it is for the users who need it, not for all. An end in the
	// middle of a record is still an error.
	LenientClose bool
}

// config is made for each handshake and not kept. A data connection's ticket
// bears the tag only if the connection itself proved to belong to the session:
// otherwise a stranger who was refused would hold a valid ticket.
func (p *Protection) config() *tls.Config {
	return derive(p.Base, p.bind)
}

func (p *Protection) bind(c *tls.Config) {
	c.NextProtos = []string{ProtocolData, ProtocolControl}
	if p.FileZilla {
		c.NextProtos = []string{ProtocolData}
	}
	c.DynamicRecordSizingDisabled = true
	if c.ClientAuth != tls.NoClientCert {
		// The certificate was asked for on the control connection. To ask for none
		// at all would keep a session that has one from being resumed.
		c.ClientAuth = tls.RequestClientCert
	}
	c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		if cs.DidResume && !hasTag(ss, p.Tag) {
			ss.Extra = append(ss.Extra, p.Tag.extra())
		}
		return p.Base.EncryptTicket(cs, ss)
	}
	c.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := p.Base.DecryptTicket(ticket, cs)
		if err != nil || ss == nil || !hasTag(ss, p.Tag) {
			return nil, nil
		}
		return ss, nil
	}
}

func hasTag(ss *tls.SessionState, tag Tag) bool {
	return slices.ContainsFunc(ss.Extra, func(b []byte) bool { return bytes.Equal(b, tag.extra()) })
}

// protect does the handshake, in which the server-FTP is the TLS server in
// passive and active mode alike (RFC 4217 §7). With an error it returns the
// connection, closed, if the handshake was done.
func (p *Protection) protect(ctx context.Context, conn net.Conn, stall time.Duration) (*sealed, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTime)
	defer cancel()
	fin := &finConn{Conn: conn, prompt: true}
	s := &sealed{Conn: tls.Server(fin, p.config()), fin: fin, lenient: p.LenientClose}
	if err := s.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	fin.prompt, fin.stall = false, stall
	err := p.check(s.ConnectionState())
	if err != nil {
		_ = s.Close()
	}
	return s, err
}

// check refuses a data connection that does not prove to be the session's.
func (p *Protection) check(cs tls.ConnectionState) error {
	strict := p.FileZilla || p.Binding == BindRequire || p.Binding == BindAuto && p.Tickets
	switch {
	case strict && !cs.DidResume:
		return ErrNotBound
	case p.FileZilla && cs.NegotiatedProtocol != ProtocolData:
		return fmt.Errorf("%w: the client did not name the protocol %q", ErrHandshake, ProtocolData)
	}
	return nil
}
