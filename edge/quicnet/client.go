package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
)

// DialConfig says where a Client connects to, and how.
type DialConfig struct {
	Addr       string        // host:port; required
	ServerName string        // what the certificate has to name; empty: the host of Addr
	TLS        *tls.Config   // nil: the system's roots. Protocols, versions and tickets are the Client's own
	Handshake  time.Duration // without an answer while it lasts; default 5 s
	Idle       time.Duration // without a packet before the connection is given up; default 60 s
	// KeepAlive is how often a packet is sent on an idle connection, so that the way stays
	// open and the server learns of a new address of ours: default 5 s.
	KeepAlive time.Duration
}

// The defaults of DialConfig.
const (
	dialHandshake = 5 * time.Second
	dialIdle      = time.Minute
	dialKeepAlive = 5 * time.Second
	dialStray     = 10 * time.Second // see Limits.Stray
)

// Client is the client's side of one QUIC connection of ftpq/1. Its methods may be called
// at the same time.
type Client struct {
	addr      string
	conn      *quic.Conn
	transport *quic.Transport
	socket    *net.UDPConn
	desk      *desk
	gone      chan struct{} // closed when the socket is
}

// Dial connects to a server. The error says what is wrong, and what may help: a host that
// does not answer over UDP, one that speaks something else, a certificate that is not to
// be trusted.
func Dial(ctx context.Context, conf DialConfig) (*Client, error) {
	host, port, err := net.SplitHostPort(conf.Addr)
	if err != nil {
		return nil, fmt.Errorf("quicnet: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("quicnet: the port of %s is no number below 65536", conf.Addr)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("quicnet: %w", err)
	}
	if conf.ServerName == "" {
		conf.ServerName = host
	}
	for _, a := range addrs {
		var c *Client
		if c, err = conf.dial(ctx, netip.AddrPortFrom(a.Unmap(), uint16(number))); err == nil {
			return c, nil
		}
	}
	return nil, refusal(conf, err)
}

// tls is what the handshake is done with. The certificate is verified unless conf.TLS says
// otherwise. No sessions are kept, and so there is no 0-RTT.
func (conf DialConfig) tls() *tls.Config {
	t := new(tls.Config)
	if conf.TLS != nil {
		t = conf.TLS.Clone()
	}
	t.MinVersion, t.MaxVersion = tls.VersionTLS13, 0
	t.NextProtos = []string{ProtocolFTP}
	t.ClientSessionCache = nil
	t.ServerName = conf.ServerName
	return t
}

// dial connects to one address of the server.
func (conf DialConfig) dial(ctx context.Context, to netip.AddrPort) (*Client, error) {
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(wildcard(to.Addr()), 0)))
	if err != nil {
		return nil, err
	}
	q := transport(or(conf.Idle, dialIdle))
	q.HandshakeIdleTimeout = or(conf.Handshake, dialHandshake)
	q.KeepAlivePeriod = or(conf.KeepAlive, dialKeepAlive)
	q.MaxIncomingStreams, q.MaxIncomingUniStreams = -1, clientStreams
	c := &Client{addr: conf.Addr, transport: &quic.Transport{Conn: socket}, socket: socket, desk: newDesk(clientStreams, dialStray), gone: make(chan struct{})}
	if c.conn, err = c.transport.Dial(ctx, net.UDPAddrFromAddrPort(to), conf.tls(), q); err != nil {
		c.release()
		return nil, err
	}
	go c.receive()
	return c, nil
}

// wildcard is the address that a socket is bound to that speaks to a.
func wildcard(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// receive takes the server's data streams to the desk, until the connection ends.
func (c *Client) receive() {
	end := func(why Code, text string) { _ = c.conn.CloseWithError(quic.ApplicationErrorCode(why), text) }
	reception{
		conn: c.conn, desk: c.desk, patience: dialStray, guard: func(do func()) { do() },
		judge: func(err error) Code {
			if errors.Is(err, errMalformed) {
				end(CodeProtocol, err.Error())
			}
			return CodeProtocol
		},
		twice: func() { end(CodeToken, "a second stream with the same token") },
	}.run()
	<-c.Done() // and the server was told
	c.desk.close()
	c.release()
	close(c.gone)
}

func (c *Client) release() {
	_ = c.transport.Close()
	_ = c.socket.Close()
}

// Session opens a new control session. The server greets on it, as it does on a new TCP
// connection.
func (c *Client) Session(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stream, err := c.conn.OpenStream() // which waits for nothing
	if _, full := errors.AsType[*quic.StreamLimitReachedError](err); full {
		return nil, fmt.Errorf("quicnet: %s permits no more sessions on this connection", c.addr)
	}
	if err != nil {
		return nil, c.explain(err)
	}
	s := &control{ends: ends{c.conn}, stream: stream}
	if _, err := stream.Write(appendVarint(nil, typeControl)); err != nil { // so that the server learns of it
		return nil, c.explain(err)
	}
	return s, nil
}

// Token returns a token for QDAT, which nobody else can guess.
func (c *Client) Token() string { return NewToken().String() }

// Upload is the data stream of a file that is sent.
type Upload struct{ d download }

// Write sends a part of the file. After the server has asked to stop it fails with an
// *Error.
func (u *Upload) Write(b []byte) (int, error) { return u.d.Write(b) }

// Close says that the file is complete. It must not be called while Write is.
func (u *Upload) Close() error { return u.d.End(nil) }

// Reset says that the file is not complete, and never will be. It does nothing after Close.
func (u *Upload) Reset(why Code) {
	if u.d.stream.Context().Err() == nil {
		u.d.Reset(why)
	}
}

// Send opens the data stream of a token that is, or will be, told with QDAT, for a file that
// is sent. It waits while the server permits no more streams.
func (c *Client) Send(ctx context.Context, token string) (*Upload, error) {
	t, err := ParseToken(token)
	if err != nil {
		return nil, err
	}
	stream, err := c.conn.OpenUniStreamSync(ctx)
	if err != nil {
		return nil, c.explain(err)
	}
	u := &Upload{download{ends{c.conn}, stream}}
	if err := u.d.begin(t); err != nil {
		return nil, c.explain(err)
	}
	return u, nil
}

// Receive waits for the server's data stream with a token. Only at its FIN is the error of
// Read io.EOF: then the file is complete. Close before that asks the server to stop.
func (c *Client) Receive(ctx context.Context, token string) (io.ReadCloser, error) {
	t, err := ParseToken(token)
	if err != nil {
		return nil, err
	}
	s, err := c.desk.expect(t)
	if err != nil {
		return nil, fmt.Errorf("quicnet: the token of a data stream: %w", err)
	}
	select {
	case <-s.came:
	case <-ctx.Done():
	case <-c.conn.Context().Done():
	}
	if u, ok := c.desk.take(s).(*upload); ok {
		return u, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, c.Err()
}

// LocalAddr is ours, a *net.UDPAddr.
func (c *Client) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr is the server's, a *net.UDPAddr.
func (c *Client) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// TLS is the handshake of the connection.
func (c *Client) TLS() *tls.ConnectionState {
	cs := c.conn.ConnectionState().TLS
	return &cs
}

// Binding returns what Conn.Binding does at the server.
func (c *Client) Binding() []byte { return binding(c.conn) }

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.conn.Context().Done() }

// Err says why the connection has ended; nil while it has not, and net.ErrClosed after
// Close.
func (c *Client) Err() error {
	ctx := c.conn.Context()
	if ctx.Err() == nil {
		return nil
	}
	return c.explain(context.Cause(ctx))
}

// Close ends the connection. What was sent and not confirmed by a reply may be lost.
func (c *Client) Close() error {
	_ = c.conn.CloseWithError(quic.ApplicationErrorCode(CodeOK), "")
	<-c.gone
	return nil
}
