package delivery

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"
)

// body is the body of an answer as the data connection of a transfer.
type body struct {
	x *exchange

	mu   sync.Mutex
	over bool // the handler has returned: nothing may be done with the answer any more
	cut  bool // the transfer has been given up
}

// Write implements net.Conn. What is little is sent at once: a limit may have made it so.
func (b *body) Write(p []byte) (int, error) {
	n, err := b.x.w.Write(p)
	b.x.bytes += int64(n)
	if err == nil && len(p) < 16<<10 {
		err = b.x.rc.Flush()
	}
	return n, err
}

// ReadFrom implements io.ReaderFrom. Over HTTP/1.1 in the clear the kernel moves the bytes
// of an *io.LimitedReader of an *os.File (sendfile(2)), as long as nothing wraps the
// ResponseWriter.
func (b *body) ReadFrom(r io.Reader) (n int64, err error) {
	if to, ok := b.x.w.(io.ReaderFrom); ok {
		n, err = to.ReadFrom(r)
	} else {
		n, err = io.Copy(struct{ io.Writer }{b.x.w}, r)
	}
	b.x.bytes += n
	return n, err
}

// TakesFiles reports whether ReadFrom has the kernel move the bytes.
func (b *body) TakesFiles() bool {
	_, ok := b.x.w.(io.ReaderFrom)
	return ok && b.x.r.ProtoMajor == 1 && b.x.r.TLS == nil
}

// Read implements net.Conn. There is nothing to be read.
func (b *body) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// SetWriteDeadline implements net.Conn.
func (b *body) SetWriteDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || b.cut {
		return os.ErrDeadlineExceeded
	}
	return b.x.rc.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (b *body) SetDeadline(t time.Time) error { return b.SetWriteDeadline(t) }

// SetReadDeadline implements net.Conn.
func (b *body) SetReadDeadline(time.Time) error { return nil }

// End is told how the transfer has ended.
func (b *body) End(err error) error {
	if err == nil {
		b.leave()
	}
	return nil
}

// Close gives the transfer up, unless it has ended.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over && !b.cut {
		b.cut = true
		_ = b.x.rc.SetWriteDeadline(time.Unix(1, 0)) // whoever writes is woken
	}
	return nil
}

// leave says that the answer is no business of the transfer's any more.
func (b *body) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// LocalAddr implements net.Conn.
func (b *body) LocalAddr() net.Addr { return local(b.x.r) }

// RemoteAddr implements net.Conn.
func (b *body) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(peer(b.x.r))
}

// local is the address that a request came to.
func local(r *http.Request) net.Addr {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return a
	}
	return &net.TCPAddr{}
}

// peer is the address that a request came from.
func peer(r *http.Request) netip.AddrPort {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// delivering is how an exchange takes a file.
type delivering struct {
	x       *exchange
	answer  answer
	offered bool
	body    body
}

// Offer implements taker.
func (d *delivering) Offer(f file) ([]part, bool) {
	d.offered = true
	d.answer = answerFile(d.x.r.Method, d.x.r.Header, string(d.x.canonical), f, time.Now())
	d.x.h.conf.dress(&d.answer, string(d.x.canonical), d.x.who.anonymous)
	return d.answer.parts, d.x.r.Method == http.MethodGet && d.answer.parts != nil
}

// Open implements taker.
func (d *delivering) Open() (net.Conn, error) {
	if err := context.Cause(d.x.r.Context()); err != nil {
		return nil, err
	}
	d.begin()
	return &d.body, nil
}

// begin begins the answer.
func (d *delivering) begin() {
	h := d.x.w.Header()
	for name, values := range d.answer.header {
		h[name] = values
	}
	d.x.begin(d.answer.status)
}
