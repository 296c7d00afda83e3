package dtp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
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

const tagPrefix = "edgeftp/1:"

func (t Tag) extra() []byte { return append([]byte(tagPrefix), t[:]...) }

// ControlTLS returns the configuration for one control connection's handshake:
// its tickets carry the tag, and it never resumes, so that every control
// connection authenticates afresh. base must be the one long-lived configuration
// that holds the ticket keys. When the handshake has begun, *tickets says whether
// the client can take tickets at all.
func ControlTLS(base *tls.Config, tag Tag, tickets *bool) *tls.Config {
	c := derive(base, func(c *tls.Config) {
		c.NextProtos = []string{"ftp"}
		c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
			ss.Extra = append(ss.Extra, tag.extra())
			return base.EncryptTicket(cs, ss)
		}
		c.UnwrapSession = func([]byte, tls.ConnectionState) (*tls.SessionState, error) { return nil, nil }
	})
	next := c.GetConfigForClient
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		*tickets = !base.SessionTicketsDisabled && takesTickets(hello, base.MaxVersion)
		if next != nil {
			return next(hello)
		}
		return nil, nil
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
	Binding Binding
	Tickets bool // the client can take tickets, as ControlTLS found
}

// config is made for each handshake and not kept. A data connection's ticket
// bears the tag only if the connection itself proved to belong to the session:
// otherwise a stranger who was refused would hold a valid ticket.
func (p *Protection) config() *tls.Config {
	return derive(p.Base, p.bind)
}

func (p *Protection) bind(c *tls.Config) {
	c.NextProtos = []string{"ftp-data", "ftp"}
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
// passive and active mode alike (RFC 4217 §7).
func (p *Protection) protect(ctx context.Context, conn net.Conn) (*sealed, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTime)
	defer cancel()
	fin := &finConn{Conn: conn, prompt: true}
	tc := tls.Server(fin, p.config())
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	fin.prompt = false
	strict := p.Binding == BindRequire || p.Binding == BindAuto && p.Tickets
	if strict && !tc.ConnectionState().DidResume {
		_ = tc.Close()
		return nil, ErrNotBound
	}
	return &sealed{Conn: tc, fin: fin}, nil
}

// sealed is a protected data connection that knows whether its end was
// announced. crypto/tls takes a plain FIN between records for an end; for an
// upload that is the difference between a whole and a cut file.
type sealed struct {
	*tls.Conn
	fin *finConn
}

// Read is tls.Conn's, with ErrTruncated for an end without close_notify (RFC
// 8446 §6.1, RFC 5246 §7.2.1).
func (s *sealed) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err == io.EOF && s.fin.ended.Load() {
		err = ErrTruncated
	}
	return n, err
}

// finConn notes that the peer closed the connection underneath TLS.
type finConn struct {
	net.Conn
	ended  atomic.Bool
	prompt bool // acknowledge at once: the handshake is under way
	spoken bool // the server has sent its part of it
}

func (c *finConn) Write(b []byte) (int, error) {
	c.spoken = true
	return c.Conn.Write(b)
}

// Read is the connection's. During the handshake a client may send its last
// records one by one, the later of them only when the earlier is acknowledged
// (GnuTLS does); an acknowledgement that waits for company costs 40 ms a file.
func (c *finConn) Read(b []byte) (int, error) {
	if c.prompt && c.spoken {
		acknowledge(c.Conn)
	}
	n, err := c.Conn.Read(b)
	if err == io.EOF {
		c.ended.Store(true)
	}
	return n, err
}
