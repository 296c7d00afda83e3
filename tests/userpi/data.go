package userpi

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
)

// Seal does the TLS handshake on a data connection, of which the client is the
// TLS client in passive and active mode alike (RFC 4217 §7).
func (c *Client) Seal(conn net.Conn) (*tls.Conn, error) {
	if c.tls == nil {
		return nil, fmt.Errorf("the control connection is not protected")
	}
	tc := tls.Client(conn, c.tls)
	c.deadline(tc.SetDeadline)
	return tc, tc.Handshake()
}

// Begin prepares a data connection, sends a command that uses it, reads the mark
// (125 or 150) and opens the connection, protected if Protected is set.
func (c *Client) Begin(m Mode, line string) (net.Conn, error) {
	p, err := c.Prepare(m)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if _, err := c.Must(line, 125, 150); err != nil {
		return nil, err
	}
	conn, err := p.Open()
	if err != nil {
		return nil, err
	}
	return c.Secure(conn)
}

// Secure gives an open data connection its deadline, and TLS if Protected is set. After
// an error it is closed.
func (c *Client) Secure(conn net.Conn) (net.Conn, error) {
	c.deadline(conn.SetDeadline)
	if !c.Protected {
		return conn, nil
	}
	tc, err := c.Seal(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return tc, nil
}

// Get runs a command that sends something to the client, such as RETR or LIST,
// and returns what came.
func (c *Client) Get(m Mode, line string) ([]byte, error) {
	conn, err := c.Begin(m, line)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	data, err := io.ReadAll(conn)
	if err != nil {
		return data, err
	}
	conn.Close()
	_, err = c.Expect(line, 226)
	return data, err
}

// Put runs a command that takes something from the client, such as STOR or APPE,
// ends the data connection properly and returns the final reply.
func (c *Client) Put(m Mode, line string, src io.Reader) (Reply, error) {
	conn, err := c.Begin(m, line)
	if err != nil {
		return Reply{}, err
	}
	defer conn.Close()
	if _, err := io.Copy(conn, src); err != nil {
		return Reply{}, err
	}
	if err := End(conn); err != nil {
		return Reply{}, err
	}
	return c.Expect(line, 226)
}

// End ends an upload properly: close_notify if it is protected, then FIN. Of a
// protected connection the other end is then read, because closing a socket with
// unread bytes (TLS 1.3's tickets) would reset it.
func End(conn net.Conn) error {
	tc, ok := conn.(*tls.Conn)
	if !ok {
		return conn.Close()
	}
	defer tc.Close()
	if err := tc.CloseWrite(); err != nil {
		return err
	}
	if tcp, ok := tc.NetConn().(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, tc)
	return nil
}

// Reset ends a data connection with a TCP reset.
func Reset(conn net.Conn) error {
	if tc, ok := conn.(*tls.Conn); ok {
		conn = tc.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return err
		}
	}
	return conn.Close()
}
