package dtp

import (
	"cmp"
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
	buffers *Buffers // for gathering and gulping; nil: neither is done
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
// connection, and it alone minds the stall time and the least rate: to crypto/tls a write that a
// deadline has ended is the end of the connection, also when the client was
// reading all the while, only slowly.
type finConn struct {
	net.Conn
	stall  time.Duration // from the end of the handshake on; 0 is no limit
	pulse  *pulse        // of the client, likewise; nil before
	ended  atomic.Bool
	prompt bool // acknowledge at once: the handshake is under way
	spoken bool // the server has sent its part of it

	// Of gathering and gulping, see there; nil while neither is done.
	out     *[]byte // which holds records that are not written yet
	held    int     // bytes of it
	gathers bool    // writes go there
	in      *[]byte // for what is read
	left    []byte  // of it: not handed out yet
	after   error   // what comes after left
}

// Read reads what there is, within the stall time.
func (c *finConn) Read(b []byte) (int, error) {
	if c.in != nil {
		return c.drink(b)
	}
	return c.read(b)
}

// read reads from the socket. During the handshake a client
// may send its last records one by one, the later of them only when the earlier is
// acknowledged (GnuTLS does); an acknowledgement that waits for company costs 40 ms
// a file.
func (c *finConn) read(b []byte) (int, error) {
	if c.prompt && c.spoken {
		Acknowledge(c.Conn)
	}
	for began := time.Now(); ; {
		c.begin(c.Conn.SetReadDeadline)
		n, err := c.Conn.Read(b)
		if n == 0 && err == io.EOF {
			c.ended.Store(true)
		}
		if slow, again := c.end(n, err, began); slow != nil || n > 0 || !again {
			return n, cmp.Or(slow, err)
		}
	}
}

// Write writes b, or holds it where records are gathered.
func (c *finConn) Write(b []byte) (int, error) {
	c.spoken = true
	if c.hold(b) {
		return len(b), nil
	}
	if _, err := c.flush(); err != nil {
		return 0, err
	}
	return c.write(b)
}

// write writes all of b, as long as some of it moves within each stall time.
func (c *finConn) write(b []byte) (n int, err error) {
	for began := time.Now(); ; {
		c.begin(c.Conn.SetWriteDeadline)
		k, err := c.Conn.Write(b[n:])
		n += k
		slow, again := c.end(k, err, began)
		switch {
		case n == len(b):
			return n, err
		case slow != nil, !again && (k == 0 || !errors.Is(err, os.ErrDeadlineExceeded)):
			return n, cmp.Or(slow, err)
		case k > 0:
			began = time.Now()
		}
	}
}

// paced reports whether the client has a least rate.
func (c *finConn) paced() bool { return c.pulse != nil && c.pulse.least > 0 }

// begin sets the deadline of a read or write.
func (c *finConn) begin(set func(time.Time) error) {
	switch {
	case c.paced():
		_ = set(c.pulse.until(c.stall))
		c.pulse.begin()
	case c.stall > 0:
		_ = set(time.Now().Add(c.stall))
	}
}

// end judges a read or write of n bytes that has returned err, the last byte having
// moved at the time given. It says that the client is too slow, or that the deadline
// was that of a window, and there is time left.
func (c *finConn) end(n int, err error, last time.Time) (slow error, again bool) {
	if !c.paced() {
		return nil, false
	}
	late := errors.Is(err, os.ErrDeadlineExceeded)
	if slow = c.pulse.end(int64(n)); slow != nil && (late || err == nil) {
		return slow, false
	}
	return nil, late && (c.stall == 0 || time.Since(last) < c.stall)
}

// SetWriteDeadline does nothing: crypto/tls would allow a close_notify five
// seconds, and a slow client may need longer until there is room for it.
func (c *finConn) SetWriteDeadline(time.Time) error { return nil }
