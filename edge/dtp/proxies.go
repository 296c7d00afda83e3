package dtp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Proxies are what connections come through, and how these say for whom: each begins with
// an announcement, such as the header of the PROXY protocol, which package proxied reads.
// An announcement is believed from Trusted alone.
type Proxies struct {
	Trusted []netip.Prefix // required: who may announce
	// Optional serves connections without an announcement too, as what they are: those of
	// strangers at once, and nothing is looked for in their bytes; those of Trusted when
	// Within has passed or their bytes are no announcement. Otherwise both are closed.
	Optional bool
	Within   time.Duration // for the announcement to be there; 0: ProxyWithinDefault
	// Data says that the passive ports of a session that was announced are reached through
	// the proxies, too: a data connection must be announced then, and it is the announced
	// address that is compared with the client's. The ports listen on the address that the
	// control connection has come to. Otherwise they listen on all addresses, as the client
	// comes by one that the proxy need not know.
	Data bool
	// Read reads one announcement and not a byte more; required. It need not bound its
	// time, and must bound its memory.
	Read func(io.Reader) (Announcement, error)
}

// ProxyWithinDefault is Proxies.Within where nothing is configured. A proxy sends the
// announcement with its first packet.
const ProxyWithinDefault = 3 * time.Second

// Announcement is what a proxy has said of a connection.
type Announcement struct {
	There bool // it is one; Before holds what was there instead
	// Peer and Local are the client's address and the one that the client has connected to.
	// Invalid ones stand for the connection's own: it is the proxy's business (a health
	// check), or the proxy does not know better.
	Peer, Local netip.AddrPort
	Before      []byte // bytes that were read and are the client's
}

// What Meet fails with, beside what Read and the connection say.
var (
	ErrStranger    = errors.New("it does not come from a proxy that is trusted")
	ErrUnannounced = errors.New("it does not begin with what a proxy says of it")
)

// Check says what is missing.
func (p *Proxies) Check() error {
	switch {
	case p.Read == nil:
		return errors.New("Proxies.Read is missing")
	case len(p.Trusted) == 0:
		return errors.New("Proxies.Trusted is empty: whoever announces clients must be known")
	case p.Within < 0 || p.Within > time.Minute:
		return fmt.Errorf("Proxies.Within is %v: up to a minute is possible", p.Within)
	}
	return nil
}

// Trusts reports whether an address may announce clients.
func (p *Proxies) Trusts(addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(p.Trusted, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// Meet waits for the announcement of a control connection. What it returns is conn itself
// where nobody has announced it, else a [Behind]. After an error conn is as good as closed;
// that it is closed is left to the caller.
func (p *Proxies) Meet(conn net.Conn) (net.Conn, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok || !p.Trusts(remote(tcp)) {
		if p.Optional {
			return conn, nil
		}
		return nil, ErrStranger
	}
	a, err := p.announcement(tcp, time.Time{})
	switch {
	case err == nil && a.There:
		return behind(tcp, a), nil
	case !p.Optional && err == nil:
		return nil, ErrUnannounced
	case !p.Optional || err != nil && !isTimeout(err):
		return nil, err
	case len(a.Before) == 0:
		return conn, nil
	}
	b := behind(tcp, Announcement{Before: a.Before})
	b.announced = false
	return b, nil
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// announcement reads it, in time and not after until.
func (p *Proxies) announcement(tcp *net.TCPConn, until time.Time) (Announcement, error) {
	within := p.Within
	if within == 0 {
		within = ProxyWithinDefault
	}
	at := time.Now().Add(within)
	if !until.IsZero() && until.Before(at) {
		at = until
	}
	if err := tcp.SetReadDeadline(at); err != nil {
		return Announcement{}, err
	}
	a, err := p.Read(tcp)
	if reset := tcp.SetReadDeadline(time.Time{}); err == nil {
		err = reset
	}
	return a, err
}

// Behind is a control connection that a proxy has brought: its addresses are those that the
// proxy has announced. All else is the TCP connection's.
type Behind struct {
	*net.TCPConn
	before      []byte
	peer, local net.TCPAddr
	announced   bool
}

func behind(tcp *net.TCPConn, a Announcement) *Behind {
	b := &Behind{TCPConn: tcp, before: a.Before, announced: true}
	peer, local := a.Peer, a.Local
	if at, ok := tcp.RemoteAddr().(*net.TCPAddr); ok && !peer.IsValid() {
		peer = at.AddrPort()
	}
	if at, ok := tcp.LocalAddr().(*net.TCPAddr); ok && !local.IsValid() {
		local = at.AddrPort()
	}
	b.peer, b.local = *net.TCPAddrFromAddrPort(peer), *net.TCPAddrFromAddrPort(local)
	return b
}

// Announced reports whether a proxy has brought the connection.
func (b *Behind) Announced() bool { return b.announced }

// Here returns the address of this host that the proxy has connected to.
func (b *Behind) Here() netip.Addr {
	if at, ok := b.TCPConn.LocalAddr().(*net.TCPAddr); ok {
		return at.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// RemoteAddr returns the client's address. It must not be changed.
func (b *Behind) RemoteAddr() net.Addr { return &b.peer }

// LocalAddr returns the address that the client has connected to. It must not be changed.
func (b *Behind) LocalAddr() net.Addr { return &b.local }

// Read returns what was read before first.
func (b *Behind) Read(to []byte) (int, error) {
	if len(b.before) > 0 {
		n := copy(to, b.before)
		b.before = b.before[n:]
		return n, nil
	}
	return b.TCPConn.Read(to)
}

// WriteTo implements io.WriterTo, as Read has it.
func (b *Behind) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{b})
}

// TCP returns the TCP connection that conn is, or that a proxy has brought. While there is
// something to read that the system does not know of, it is nil.
func TCP(conn net.Conn) *net.TCPConn {
	switch c := conn.(type) {
	case *net.TCPConn:
		return c
	case *Behind:
		if len(c.before) == 0 {
			return c.TCPConn
		}
	}
	return nil
}
