package delivery

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// body is the data connection of a transfer that ends in an answer: it is what a file is
// written to, or what a listing is.
type body struct {
	x    *exchange
	take func(p []byte) (int, error) // what a listing is written to; nil: the answer itself

	mu   sync.Mutex
	over bool // the transfer has ended: it does nothing to the answer any more
	cut  bool // the transfer has been given up
}

// Write implements net.Conn. What is little is sent at once: a limit may have made it so.
func (b *body) Write(p []byte) (int, error) {
	if b.take != nil {
		return b.take(p)
	}
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
	to, ok := b.x.w.(io.ReaderFrom)
	if !ok || b.take != nil {
		return io.Copy(struct{ io.Writer }{b}, r)
	}
	n, err = to.ReadFrom(r)
	b.x.bytes += n
	return n, err
}

// TakesFiles implements dtp.FileTaker.
func (b *body) TakesFiles() bool {
	_, ok := b.x.w.(io.ReaderFrom)
	return ok && b.take == nil && b.x.r.ProtoMajor == 1 && b.x.r.TLS == nil
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

// hurry bounds the time for what is sent next of an answer that has not been given up.
func (b *body) hurry() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut {
		return os.ErrDeadlineExceeded
	}
	b.x.hurry()
	return nil
}

// SetDeadline implements net.Conn.
func (b *body) SetDeadline(t time.Time) error { return b.SetWriteDeadline(t) }

// SetReadDeadline implements net.Conn.
func (b *body) SetReadDeadline(time.Time) error { return nil }

// End implements dtp.Ender. How the transfer has ended is known from the reply.
func (b *body) End(error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	if b.cut {
		return os.ErrDeadlineExceeded
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

// LocalAddr implements net.Conn.
func (b *body) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(visitor(b.x.r).Local) }

// RemoteAddr implements net.Conn.
func (b *body) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(peer(b.x.r)) }

var (
	_ dtp.FileTaker = (*body)(nil)
	_ dtp.Ender     = (*body)(nil)
	_ dtp.Port      = (*port)(nil)
)

// delivering is how an exchange takes a file.
type delivering struct {
	x       *exchange
	answer  answer
	offered bool
	body    body
}

// offer says which parts of a file are to be sent.
func (d *delivering) offer(o pi.Offered) ([]pi.Part, bool) {
	d.offered = true
	d.answer = answerFile(d.x.r.Method, d.x.r.Header, string(d.x.canonical), offered(o), time.Now())
	d.x.h.conf.dress(&d.answer, string(d.x.canonical), d.x.who.anonymous)
	return d.answer.parts, d.x.r.Method == http.MethodGet && d.answer.parts != nil
}

// open begins the answer. For how long a client may take nothing of it is from now on what
// the transfer says, which sets a deadline, or none, before each write.
func (d *delivering) open() (net.Conn, error) {
	d.begin()
	return &d.body, nil
}

func (d *delivering) begin() {
	h := d.x.w.Header()
	for name, values := range d.answer.header {
		h[name] = values
	}
	d.x.begin(d.answer.status)
}
