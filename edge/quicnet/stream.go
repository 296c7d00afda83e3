package quicnet

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
)

// ends are the addresses of a connection. That of the peer follows it when it moves
// (RFC 9000 §9).
type ends struct{ conn *quic.Conn }

// LocalAddr is a *net.UDPAddr.
func (e ends) LocalAddr() net.Addr { return e.conn.LocalAddr() }

// RemoteAddr is a *net.UDPAddr: where the peer is now.
func (e ends) RemoteAddr() net.Addr { return e.conn.RemoteAddr() }

// control is a control stream as a net.Conn, for both sides.
type control struct {
	ends
	stream  *quic.Stream
	writing sync.Mutex // held by Write, and while the stream is closed
	ended   atomic.Bool
}

// Read reads what the peer has said. The end of the stream, and of a connection that the
// peer has closed without an error, is io.EOF.
func (c *control) Read(b []byte) (int, error) {
	n, err := c.stream.Read(b)
	if err == nil || err == io.EOF {
		return n, err
	}
	err = fault(err)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeOK {
		return n, io.EOF
	}
	return n, err
}

// Write says something to the peer.
func (c *control) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := c.stream.Write(b)
	return n, fault(err)
}

// CloseWrite says that nothing more will be said. What was written arrives.
func (c *control) CloseWrite() error {
	_ = c.stream.SetWriteDeadline(time.Unix(1, 0)) // calls a Write back that waits
	c.writing.Lock()
	defer c.writing.Unlock()
	return fault(c.stream.Close())
}

// Close ends the stream in both directions. What was written arrives, unless the
// connection is closed too.
func (c *control) Close() error {
	if c.ended.Swap(true) {
		return nil
	}
	c.stream.CancelRead(quic.StreamErrorCode(CodeOK))
	_ = c.CloseWrite() // it fails where there is nothing left to close
	return nil
}

// SetDeadline sets those of Read and Write.
func (c *control) SetDeadline(t time.Time) error { return c.stream.SetDeadline(t) }

// SetReadDeadline sets that of Read, which may be called again after it.
func (c *control) SetReadDeadline(t time.Time) error { return c.stream.SetReadDeadline(t) }

// SetWriteDeadline sets that of Write, which may be called again after it.
func (c *control) SetWriteDeadline(t time.Time) error { return c.stream.SetWriteDeadline(t) }

// abort ends the stream for a reason.
func (c *control) abort(why Code) {
	c.ended.Store(true)
	c.stream.CancelRead(quic.StreamErrorCode(why))
	c.stream.CancelWrite(quic.StreamErrorCode(why))
}

// errOneWay is what the wrong direction of a data stream answers.
var errOneWay = errors.New("a data stream carries bytes in one direction only")

// upload is a data stream whose bytes come from the peer.
type upload struct {
	ends
	stream *quic.ReceiveStream
	whole  atomic.Bool // its FIN was read
}

// Read reads the file. io.EOF says that it is complete; how else it ends is an error.
func (u *upload) Read(b []byte) (int, error) {
	n, err := u.stream.Read(b)
	if err == io.EOF {
		u.whole.Store(true)
		return n, err
	}
	return n, fault(err)
}

// Write fails.
func (u *upload) Write([]byte) (int, error) { return 0, errOneWay }

// End says how the transfer has ended: with an error the peer is asked to stop.
func (u *upload) End(err error) error {
	if err != nil {
		u.refuse(codeOf(err))
	}
	return nil
}

// Close ends the stream. Bytes that were not read are not wanted.
func (u *upload) Close() error {
	u.refuse(CodeAborted)
	return nil
}

// refuse asks the peer to stop (RFC 9000 §19.5). It does nothing at the end of the file.
func (u *upload) refuse(why Code) {
	if !u.whole.Load() {
		u.stream.CancelRead(quic.StreamErrorCode(why))
	}
}

// SetDeadline is SetReadDeadline.
func (u *upload) SetDeadline(t time.Time) error { return u.SetReadDeadline(t) }

// SetReadDeadline sets that of Read, which may be called again after it.
func (u *upload) SetReadDeadline(t time.Time) error { return u.stream.SetReadDeadline(t) }

// SetWriteDeadline does nothing.
func (u *upload) SetWriteDeadline(time.Time) error { return nil }

// download is a data stream whose bytes go to the peer.
type download struct {
	ends
	stream *quic.SendStream
}

// begin sends the head, which arrives even where the stream is reset. So few bytes wait for
// nobody.
func (d *download) begin(t Token) error {
	_, err := d.stream.Write(appendDataHead(nil, t))
	d.stream.SetReliableBoundary()
	return fault(err)
}

// Read fails.
func (d *download) Read([]byte) (int, error) { return 0, errOneWay }

// Write sends a part of the file.
func (d *download) Write(b []byte) (int, error) {
	n, err := d.stream.Write(b)
	return n, fault(err)
}

// End says how the transfer has ended: FIN where it was well, RESET_STREAM else. It must
// not be called while Write is. It fails where the end cannot have reached the peer.
func (d *download) End(err error) error {
	if err != nil {
		d.Reset(codeOf(err))
		return nil
	}
	_ = d.stream.Close() // which says less than its context
	return d.why()
}

// why returns what has ended the stream, nil if it was its FIN.
func (d *download) why() error {
	ctx := d.stream.Context()
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), quic.ErrStreamClosed) {
		return nil
	}
	return fault(context.Cause(ctx))
}

// Reset ends the stream as one that is not complete (RFC 9000 §19.4).
func (d *download) Reset(why Code) { d.stream.CancelWrite(quic.StreamErrorCode(why)) }

// Close ends the stream: as one that is not complete, unless End has been called.
func (d *download) Close() error {
	if d.stream.Context().Err() == nil {
		d.Reset(CodeAborted)
	}
	return nil
}

// SetDeadline is SetWriteDeadline.
func (d *download) SetDeadline(t time.Time) error { return d.SetWriteDeadline(t) }

// SetReadDeadline does nothing.
func (d *download) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline sets that of Write, which may be called again after it.
func (d *download) SetWriteDeadline(t time.Time) error { return d.stream.SetWriteDeadline(t) }
