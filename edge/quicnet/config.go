package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/quic-go/quic-go"
)

// The protocols, as ALPN has them (RFC 7301).
const (
	ProtocolFTP  = "ftpq/1"
	ProtocolHTTP = "h3"
)

// Config is what a Listener is made of. At least one of FTP and HTTP is required.
type Config struct {
	// TLS has the certificates, and may choose by name (GetConfigForClient). It is
	// copied; protocols, versions and tickets are the Listener's own. Where what it chooses
	// names some of the Listener's in NextProtos, the client gets no others. Required.
	TLS  *tls.Config
	FTP  bool         // take ftpq/1
	HTTP http.Handler // take HTTP/3; nil does not
	// HTTPContext returns the context of the requests of one connection, of its own; nil: it
	// is that.
	HTTPContext func(context.Context) context.Context
	Limits      Limits
	// Admit says whether connections of an address may begin; nil: they may. It is asked
	// for each, in one goroutine, and must not block. For each that it lets in Leave is
	// called once, when it has ended; nil: nothing is.
	Admit func(netip.Addr) bool
	Leave func(netip.Addr)
	Log   *slog.Logger // of faults of the server itself; nil: nowhere
}

// Limits bound what a peer may cost. Zero is the default, less than zero no limit where
// that makes sense.
type Limits struct {
	ControlSessions       int // of one connection; default 20: a client such as rclone has a dozen
	Requests              int // of HTTP/3 at the same time on one connection; default 32
	Streams               int // data streams of one connection, prepared and in each direction; default 16
	ConnectionsPerAddress int // of an IPv4 address or IPv6 /64; default 20; less than zero: no limit
	// HandshakesPerSecond that begin without further ado. Addresses of those beyond are
	// validated first (Retry, RFC 9000 §8.1.2), as are those of a client that has half of
	// ConnectionsPerAddress already. Default 64; less than zero: every address is validated.
	HandshakesPerSecond int
	Handshake           time.Duration // for all of a handshake; default 10 s
	Idle                time.Duration // without a packet, or before the first session; default 60 s
	Unused              time.Duration // without a control session, after there was one; default 5 min
	Wait                time.Duration // for a data stream, or the permission to open one; default 30 s
	Stray               time.Duration // for which a data stream waits for its QDAT, and for its head; default 10 s
}

// Windows of flow control: a download of 80 ms and 1 Gbit/s needs 10 MB. They begin small
// and grow as fast as the bytes are read, so that nobody makes the server keep more than
// the first of each for nothing.
const (
	firstWindow           = 512 << 10
	streamWindow          = 32 << 20
	connectionFirstWindow = 768 << 10
	connectionWindow      = 48 << 20
)

// clientStreams is how many data streams a server may have open to a client.
const clientStreams = 32

func or[T int | time.Duration](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

func (l Limits) complete() Limits {
	l.ControlSessions = or(l.ControlSessions, 20)
	l.Requests = or(l.Requests, 32)
	l.Streams = or(l.Streams, 16)
	l.ConnectionsPerAddress = or(l.ConnectionsPerAddress, 20)
	l.HandshakesPerSecond = or(l.HandshakesPerSecond, 64)
	l.Handshake = or(l.Handshake, 10*time.Second)
	l.Idle = or(l.Idle, time.Minute)
	l.Unused = or(l.Unused, 5*time.Minute)
	l.Wait = or(l.Wait, 30*time.Second)
	l.Stray = or(l.Stray, 10*time.Second)
	return l
}

func (c Config) check() error {
	switch {
	case c.TLS == nil:
		return errors.New("quicnet: a TLS configuration is required: there is no QUIC in the clear")
	case !c.FTP && c.HTTP == nil:
		return errors.New("quicnet: neither FTP nor HTTP is to be served")
	case c.Limits.ControlSessions < 0 || c.Limits.Requests < 0 || c.Limits.Streams < 0:
		return errors.New("quicnet: a limit on streams is less than zero")
	case min(c.Limits.Handshake, c.Limits.Idle, c.Limits.Unused, c.Limits.Wait, c.Limits.Stray) < 0:
		return errors.New("quicnet: a time limit is less than zero")
	}
	return nil
}

// protocols are those that are offered.
func (c Config) protocols() (out []string) {
	if c.FTP {
		out = append(out, ProtocolFTP)
	}
	if c.HTTP != nil {
		out = append(out, ProtocolHTTP)
	}
	return out
}

// transport is what both sides have in common.
func transport(idle time.Duration) *quic.Config {
	return &quic.Config{
		MaxIdleTimeout:                 idle,
		InitialStreamReceiveWindow:     firstWindow,
		MaxStreamReceiveWindow:         streamWindow,
		InitialConnectionReceiveWindow: connectionFirstWindow,
		MaxConnectionReceiveWindow:     connectionWindow,
		// A stream that is reset still tells which transfer it was (RESET_STREAM_AT).
		EnableStreamResetPartialDelivery: true,
	}
}

// quic is the server's side. Which protocol a client speaks shows later, so that the
// larger limit is the library's, and link minds its own.
func (c Config) quic() *quic.Config {
	q := transport(c.Limits.Idle)
	q.HandshakeIdleTimeout = c.Limits.Handshake / 2 // the library doubles it for all of the handshake
	q.MaxIncomingUniStreams = int64(c.Limits.Streams)
	if c.FTP {
		q.MaxIncomingStreams = int64(c.Limits.ControlSessions)
	}
	if c.HTTP != nil {
		q.MaxIncomingStreams = max(q.MaxIncomingStreams, int64(c.Limits.Requests))
		q.MaxIncomingUniStreams = max(q.MaxIncomingUniStreams, httpUniStreams)
	}
	return q
}

// httpUniStreams is what HTTP/3 needs: control, QPACK's two, and one of a kind that is
// not known (RFC 9114 §6.2).
const httpUniStreams = 4

// serverTLS is what handshakes are done with. There are no tickets, so that nothing of
// what a client says can be replayed (0-RTT, RFC 8446 §8), and none of FTPS is taken here.
func serverTLS(base *tls.Config, protocols []string) *tls.Config {
	c := base.Clone()
	c.MinVersion, c.MaxVersion = tls.VersionTLS13, 0
	c.NextProtos = protocols
	c.SessionTicketsDisabled, c.WrapSession, c.UnwrapSession = true, nil, nil
	if choose := base.GetConfigForClient; choose != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if chosen == nil || err != nil {
				return nil, err
			}
			chosen = serverTLS(chosen, narrower(chosen.NextProtos, protocols))
			chosen.GetConfigForClient = nil
			return chosen, nil
		}
	}
	return c
}

// narrower are the protocols that a choice names, or all where it names none.
func narrower(named, all []string) (out []string) {
	for _, p := range all {
		if slices.Contains(named, p) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return all
	}
	return out
}
