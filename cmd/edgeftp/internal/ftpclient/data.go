package ftpclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// open connects to where the server takes a data connection.
func (s *Session) open() (net.Conn, error) {
	addr, err := s.passive()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: s.conf.Timeout}
	if local, ok := s.raw.LocalAddr().(*net.TCPAddr); ok { // servers turn away other addresses
		dialer.LocalAddr = &net.TCPAddr{IP: local.IP, Zone: local.Zone}
	}
	conn, err := dialer.DialContext(s.ctx, "tcp", addr.String())
	if err != nil {
		return nil, s.lose(fmt.Errorf("the data connection cannot be opened: %w", err))
	}
	s.mu.Lock()
	s.data = conn
	s.mu.Unlock()
	if s.ctx.Err() != nil { // hangUp may have been before
		_ = conn.Close()
	}
	return conn, nil
}

// passive asks for an address by EPSV, or by PASV where there is no EPSV.
func (s *Session) passive() (netip.AddrPort, error) {
	peer, err := netip.ParseAddrPort(s.raw.RemoteAddr().String())
	if err != nil {
		return netip.AddrPort{}, err
	}
	host := peer.Addr().Unmap()
	if !s.noEPSV {
		r, err := s.do("EPSV")
		if err != nil {
			return netip.AddrPort{}, err
		}
		if r.is(229) {
			port, err := parse229(r.Text())
			return netip.AddrPortFrom(peer.Addr(), port), s.lose(err)
		}
		if r.Code < 500 || host.Is6() {
			return netip.AddrPort{}, &ReplyError{"EPSV", r}
		}
		s.noEPSV = true
	}
	r, err := s.must("PASV", 227)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := parse227(r.Text())
	if err != nil {
		return netip.AddrPort{}, s.lose(err)
	}
	if addr.Addr() != host && !s.conf.ForeignPASV {
		return netip.AddrPort{}, s.lose(&Refusal{
			What: fmt.Sprintf("the server (%s) sends the data connection to another host: %s", host, addr),
			Help: "it may stand behind NAT and not know its address, which its operator can tell it; --foreign-pasv connects there"})
	}
	return addr, nil
}

// parse229 reads the port of a reply to EPSV (RFC 2428 §3).
func parse229(text string) (uint16, error) {
	_, inner, ok := strings.Cut(text, "(")
	inner, _, ok2 := strings.Cut(inner, ")")
	if ok && ok2 && len(inner) >= 5 && inner[0] >= 33 && inner[0] <= 126 {
		parts := strings.Split(inner, inner[:1])
		if len(parts) == 5 && parts[0]+parts[1]+parts[2]+parts[4] == "" {
			if port, err := strconv.ParseUint(parts[3], 10, 16); err == nil && port > 0 {
				return uint16(port), nil
			}
		}
	}
	return 0, refuse("the server answers EPSV without a port: %q", clip(text))
}

// parse227 reads the address of a reply to PASV, six numbers anywhere in it (RFC 1123
// §4.1.2.6).
func parse227(text string) (netip.AddrPort, error) {
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			continue
		}
		rest := text[i:]
		if end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != ',' }); end >= 0 {
			rest = rest[:end]
		}
		if addr, ok := sixNumbers(rest); ok {
			return addr, nil
		}
		i += len(rest)
	}
	return netip.AddrPort{}, refuse("the server answers PASV without an address: %q", clip(text))
}

func sixNumbers(text string) (netip.AddrPort, bool) {
	parts := strings.Split(text, ",")
	var b [6]byte
	if len(parts) != len(b) {
		return netip.AddrPort{}, false
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return netip.AddrPort{}, false
		}
		b[i] = byte(n)
	}
	port := uint16(b[4])<<8 | uint16(b[5])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port), port > 0
}

// beginData opens a data connection, sends the command that uses it, from an offset on if
// that is not 0, and protects the connection when the server is ready.
func (s *Session) beginData(command string, from int64) (*stream, error) {
	conn, err := s.open()
	if err != nil {
		return nil, err
	}
	st := &stream{s: s, conn: conn, raw: conn, patience: s.conf.Timeout}
	if from > 0 { // next to its command, because any other one makes some servers forget it
		if _, err := s.must("REST "+strconv.FormatInt(from, 10), 350); err != nil {
			st.close()
			return nil, err
		}
	}
	if err := s.write(command, command); err != nil {
		st.close()
		return nil, err
	}
	r, err := s.reply()
	if err != nil || !r.is(125, 150) {
		st.close()
		if err == nil {
			err = &ReplyError{command, r}
		}
		return nil, err
	}
	if s.tls == nil {
		return st, nil
	}
	tc := tls.Client(whole{conn}, s.tls)
	if err := s.handshake(tc); err != nil {
		st.close()
		return nil, s.unprotected(err)
	}
	s.Resumed = tc.ConnectionState().DidResume
	s.tickets.seen(s.Resumed)
	st.conn = tc
	return st, nil
}

// unprotected is why the handshake of a data connection failed: the server's own words,
// if it sends some soon.
func (s *Session) unprotected(err error) error {
	_ = s.conn.SetReadDeadline(time.Now().Add(min(s.conf.Timeout, 5*time.Second)))
	if r, replied := readReply(s.in); replied == nil && r.Code >= 400 {
		err = fmt.Errorf("%s (%w)", r, err)
	}
	return s.lose(fmt.Errorf("the data connection cannot be protected: %w", err))
}

// stream is an open data connection.
type stream struct {
	s        *Session
	conn     net.Conn // raw, or TLS over it
	raw      net.Conn
	patience time.Duration
}

// Read reads, with a bound for the time in which nothing comes.
func (d *stream) Read(b []byte) (int, error) {
	_ = d.raw.SetReadDeadline(time.Now().Add(d.patience))
	n, err := d.conn.Read(b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errCut) {
		err = d.s.because(silence(err, d.patience))
	}
	return n, err
}

// Write writes, with a bound for the time in which nothing is taken.
func (d *stream) Write(b []byte) (int, error) {
	_ = d.raw.SetWriteDeadline(time.Now().Add(d.patience))
	n, err := d.conn.Write(b)
	return n, d.s.because(err)
}

// close ends the connection without a word.
func (d *stream) close() {
	_ = d.raw.Close()
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	d.s.data = nil
}

// end ends an upload so that the server knows it to be whole: close_notify, then FIN.
// What the server sends meanwhile (tickets) is read, because closing a socket with unread
// bytes resets it.
func (d *stream) end() error {
	defer d.close()
	_ = d.raw.SetDeadline(time.Now().Add(d.patience))
	if tc, ok := d.conn.(*tls.Conn); ok {
		if err := tc.CloseWrite(); err != nil {
			return err
		}
	}
	if half, ok := d.raw.(*net.TCPConn); ok {
		if err := half.CloseWrite(); err != nil {
			return err
		}
	}
	if _, ok := d.conn.(*tls.Conn); ok {
		_, _ = io.CopyN(io.Discard, d.raw, 64<<10) // until the server closes, too
	}
	return nil
}
