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
	Control             // the control connection, as ControlTLS has left it
	Binding Binding     // how the data connection has to prove that it belongs to it
	// FileZilla says that the control connection negotiated ProtocolFileZilla: the
	// data connection must then negotiate ProtocolData and resume, whatever Binding
	// says.
	FileZilla bool
	// LenientClose takes an upload that ends without close_notify for a whole one,
	// for clients that never send it. Nobody can tell such an end from a connection
	// that was cut, so it is for the users who need it, not for all. An end in the
	// middle of a record is still an error.
	LenientClose bool

	single bool // records are neither gathered nor gulped: for tests
}

// config is made for each handshake and not kept. A data connection's ticket
// bears the tag only if the connection itself proved to belong to the session:
// otherwise a stranger who was refused would hold a valid ticket.
func (p *Protection) config() *tls.Config {
	c := p.Base.Clone()
	p.bind(c)
	if choose := p.Base.GetConfigForClient; choose != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(p.named(hello))
			if err != nil || chosen == nil {
				return nil, err
			}
			return adopt(p.Base, chosen, p.bind), nil
		}
	}
	return c
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
	own := certificates(c)
	c.Certificates = nil
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if cert := p.presented(hello, now(p.Base)); cert != nil {
			return cert, nil
		}
		return own(p.named(hello))
	}
}

func hasTag(ss *tls.SessionState, tag Tag) bool {
	return slices.ContainsFunc(ss.Extra, func(b []byte) bool { return bytes.Equal(b, tag.extra()) })
}

// protect does the handshake, in which the server-FTP is the TLS server in
// passive and active mode alike (RFC 4217 §7). With an error it returns the
// connection, closed, if the handshake was done.
func (p *Protection) protect(ctx context.Context, conn net.Conn, stall time.Duration, pulse *pulse) (*sealed, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTime)
	defer cancel()
	fin := &finConn{Conn: conn, prompt: true}
	s := &sealed{Conn: tls.Server(fin, p.config()), fin: fin, lenient: p.LenientClose}
	if err := s.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	fin.prompt, fin.stall, fin.pulse = false, stall, pulse
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
