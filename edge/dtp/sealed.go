package dtp

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// sealed is a protected data connection that knows whether its end was
// announced. crypto/tls takes a plain FIN between records for an end; for an
// upload that is the difference between a whole and a cut file.
type sealed struct {
	*tls.Conn
	fin     *finConn
	lenient bool
}

// Read is tls.Conn's, with ErrTruncated for an end without close_notify (RFC
// 8446 §6.1, RFC 5246 §7.2.1).
func (s *sealed) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err == io.EOF && s.fin.ended.Load() && !s.lenient {
		err = ErrTruncated
	}
	return n, err
}

// finConn lies between TLS and the socket. It notes that the peer closed the
// connection, and it alone minds the stall time: to crypto/tls a write that a
// deadline has ended is the end of the connection, also when the client was
// reading all the while, only slowly.
type finConn struct {
	net.Conn
	stall  time.Duration // from the end of the handshake on; 0 is no limit
	ended  atomic.Bool
	prompt bool // acknowledge at once: the handshake is under way
	spoken bool // the server has sent its part of it
}

// Read reads what there is, within the stall time. During the handshake a client
// may send its last records one by one, the later of them only when the earlier is
// acknowledged (GnuTLS does); an acknowledgement that waits for company costs 40 ms
// a file.
func (c *finConn) Read(b []byte) (int, error) {
	if c.prompt && c.spoken {
		Acknowledge(c.Conn)
	}
	if c.stall > 0 {
		_ = c.Conn.SetReadDeadline(time.Now().Add(c.stall))
	}
	n, err := c.Conn.Read(b)
	if n == 0 && err == io.EOF {
		c.ended.Store(true)
	}
	return n, err
}

// Write writes all of b, as long as some of it moves within each stall time.
func (c *finConn) Write(b []byte) (n int, err error) {
	c.spoken = true
	for {
		if c.stall > 0 {
			_ = c.Conn.SetWriteDeadline(time.Now().Add(c.stall))
		}
		k, err := c.Conn.Write(b[n:])
		n += k
		if n == len(b) || k == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// SetWriteDeadline does nothing: crypto/tls would allow a close_notify five
// seconds, and a slow client may need longer until there is room for it.
func (c *finConn) SetWriteDeadline(time.Time) error { return nil }
