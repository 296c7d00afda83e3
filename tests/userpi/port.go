package userpi

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Mode is the way in which a data connection is opened.
type Mode uint8

// The four ways.
const (
	EPSV Mode = iota // RFC 2428 §3
	PASV             // RFC 959 §4.1.2
	EPRT             // RFC 2428 §2
	PORT             // RFC 959 §4.1.2
)

// Port is one end of a data connection to be: an address of the server's that
// is connected to, or a listener of one's own.
type Port struct {
	client   *Client
	addr     string
	listener net.Listener
}

// Prepare sends the command of the mode.
func (c *Client) Prepare(m Mode) (*Port, error) {
	switch m {
	case PASV, EPSV:
		return c.passive(m)
	}
	l, err := Listen(c.raw.LocalAddr())
	if err != nil {
		return nil, err
	}
	line := "PORT " + FormatPort(l.Addr())
	if m == EPRT {
		line = "EPRT " + FormatEPRT(l.Addr())
	}
	if _, err := c.Must(line, 200); err != nil {
		l.Close()
		return nil, err
	}
	return &Port{client: c, listener: l}, nil
}

func (c *Client) passive(m Mode) (*Port, error) {
	line, code := "EPSV", 229
	if m == PASV {
		line, code = "PASV", 227
	}
	r, err := c.Must(line, code)
	if err != nil {
		return nil, err
	}
	addr, err := Address(r, c.raw.RemoteAddr())
	if err != nil {
		return nil, err
	}
	return &Port{client: c, addr: addr}, nil
}

// Listen opens a port of one's own on the address of the control connection.
func Listen(local net.Addr) (net.Listener, error) {
	host, _, err := net.SplitHostPort(local.String())
	if err != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

// Open opens the data connection, in the clear, and uses the port up.
func (p *Port) Open() (net.Conn, error) {
	if p.listener == nil {
		ctx := context.Background()
		if p.client.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, p.client.Timeout)
			defer cancel()
		}
		return p.client.dialer().DialContext(ctx, "tcp", p.addr)
	}
	defer p.listener.Close()
	if l, ok := p.listener.(*net.TCPListener); ok {
		p.client.deadline(l.SetDeadline)
	}
	return p.listener.Accept()
}

// dialer connects from the address of the control connection, because servers turn
// away others.
func (c *Client) dialer() *net.Dialer {
	d := &net.Dialer{}
	if local, ok := c.raw.LocalAddr().(*net.TCPAddr); ok {
		d.LocalAddr = &net.TCPAddr{IP: local.IP, Zone: local.Zone}
	}
	return d
}

// Close gives up a port that was not opened.
func (p *Port) Close() {
	if p.listener != nil {
		p.listener.Close()
	}
}

// Address reads the address of a 227 reply, or of a 229 reply, which stands for
// the host of the control connection.
func Address(r Reply, control net.Addr) (string, error) {
	_, inner, ok := strings.Cut(r.Text(), "(")
	inner, _, ok2 := strings.Cut(inner, ")")
	if !ok || !ok2 || inner == "" {
		return "", fmt.Errorf("there is nothing in parentheses in %q", r)
	}
	if r.Code == 229 {
		parts := strings.Split(inner, inner[:1])
		if len(parts) != 5 || parts[1] != "" || parts[2] != "" {
			return "", fmt.Errorf("%q is not a reply to EPSV", r)
		}
		host, _, err := net.SplitHostPort(control.String())
		return net.JoinHostPort(host, parts[3]), err
	}
	var b [6]byte
	parts := strings.Split(inner, ",")
	if len(parts) != len(b) {
		return "", fmt.Errorf("%q does not hold six numbers", r)
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return "", fmt.Errorf("%q: %w", r, err)
		}
		b[i] = byte(n)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), uint16(b[4])<<8|uint16(b[5])).String(), nil
}

// FormatPort writes an IPv4 address as the argument of PORT.
func FormatPort(a net.Addr) string {
	ap := netip.MustParseAddrPort(a.String())
	ip := ap.Addr().Unmap().As4()
	return fmt.Sprintf("%d,%d,%d,%d,%d,%d", ip[0], ip[1], ip[2], ip[3], ap.Port()>>8, ap.Port()&0xff)
}

// FormatEPRT writes an address as the argument of EPRT.
func FormatEPRT(a net.Addr) string {
	ap := netip.MustParseAddrPort(a.String())
	family := 1
	if ap.Addr().Unmap().Is6() {
		family = 2
	}
	return fmt.Sprintf("|%d|%s|%d|", family, ap.Addr().Unmap(), ap.Port())
}
