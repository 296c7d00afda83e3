package dtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// The ways in which a transfer ends before its time. What is not one of these
// is an error of the file.
var (
	ErrBroken    = errors.New("the data connection broke")
	ErrTruncated = errors.New("the data connection ended without close_notify")
	ErrStalled   = errors.New("no byte moved within the time limit")
	ErrSlow      = errors.New("the client was slower than permitted")
	ErrTooLarge  = errors.New("the file is larger than permitted")
	ErrForbidden = errors.New("the transfer was ended by a policy") // what Send or Receive fails with is it, too (errors.Is)
	ErrDeflate   = errors.New("the compressed data is damaged or cut short")
	ErrRatio     = errors.New("the compressed data expands more than permitted") // always with ErrTooLarge
)

// Transfer is one use of a data connection. Exactly one of Send and Receive is
// set.
type Transfer struct {
	Port    Port        // opened by Run, once; required
	Protect *Protection // nil leaves the connection in the clear

	Send    io.Reader // to the client; an *os.File, or an *io.LimitedReader or *Exact of one, goes by sendfile
	Receive io.Writer // from the client; one that is an io.ReaderFrom of an *os.File by splice
	ASCII   bool      // convert line ends (RFC 959 §3.1.1.1)
	Deflate *Deflate  // compress (MODE Z); nil is stream mode
	Copy    bool      // never let the kernel move the bytes by itself (sendfile, splice)

	MaxBytes int64         // largest number of decoded bytes to receive; 0 is no limit
	Stall    time.Duration // longest time without a byte; 0 is no limit
	// Least is the lowest rate, in bytes per second on the wire, that is put up with;
	// 0 is none. It is held against the time for which the client was waited for, and
	// for nothing else: that of the Limiter, and of a file or filter that the kernel
	// does not move by itself, is not the client's. It is looked at whenever LeastWindow
	// of that has passed.
	Least       int64
	LeastWindow time.Duration // 0 is LeastWindowDefault
	Limiter     Limiter       // nil is no limit
	Buffers     *Buffers      // nil lends buffers to this transfer alone
	Progress    *Progress     // nil counts for nobody
	Listing     bool          // what is sent are names: for Tally alone
	Tally       *Tally        // nil counts for nobody

	bursts bool // for tests: the kernel does not pace
}

// LeastWindowDefault is over how long a time a rate is held to be too low.
const LeastWindowDefault = 30 * time.Second

// What a transfer takes beside its buffers, in bytes, rounded up.
const (
	sealedMemory  = 96 << 10   // TLS: its handshake, and a record in each direction
	deflateMemory = 1280 << 10 // a compressor of any level
	inflateMemory = 64 << 10   // an expander
	barestMemory  = 16 << 10   // a goroutine, a socket
)

// Memory returns how many bytes Run takes at most for buffers, TLS and compression on a
// TCP connection.
func (t *Transfer) Memory() int64 {
	n := int64(barestMemory)
	size := int64(bufferSize)
	if t.Buffers != nil {
		size = int64(t.Buffers.Size())
	}
	if t.Protect != nil {
		n += sealedMemory + gatherSize
		if t.Receive != nil {
			n += size
		}
	}
	if _, plain := t.Receive.(io.ReaderFrom); t.direct() && (plain || t.Send != nil && plainSend(t.Send)) {
		return n
	}
	buffers := int64(1)
	if t.ASCII {
		buffers++
	}
	if t.Deflate != nil {
		buffers++
		n += inflateMemory
		if t.Send != nil {
			n += deflateMemory
		}
	}
	return n + buffers*(size+gatherSize)
}

func plainSend(r io.Reader) bool {
	file, _, _ := plainFile(r)
	return file != nil
}

// Runner carries a transfer out: it opens the port, moves the bytes and closes the
// data connection, as [Transfer.Run] does. An embedder may put one of its own in
// the place of Run, around it, or change the Transfer before it (the model's
// replaceable DTPHandler). It returns soon after ctx has ended, with ctx's cause,
// and does not close Send or Receive.
type Runner func(ctx context.Context, t *Transfer) Result

// Result says how a transfer ended.
type Result struct {
	Bytes  int64         // decoded bytes that were moved between the file and the client
	Took   time.Duration // from the opening of the data connection to its end
	Opened bool          // the data connection came to be
	// Peer is the address of its other end; the zero value of one that has none.
	Peer netip.AddrPort
	Err  error // nil: everything was moved and the end was proper

	// TLS is what the handshake agreed on; nil in the clear, and when the handshake
	// failed. It is there when a connection whose handshake was well was refused:
	// for not being bound to its control connection, or for its protocol.
	TLS *tls.ConnectionState
	// Handshake is how long that took; 0 where TLS is nil.
	Handshake time.Duration
	// Unannounced is set for an upload over TLS that ended without close_notify and
	// was taken all the same, as Protection.LenientClose permits.
	Unannounced bool
}

// Run opens the port, moves the bytes and closes the data connection. It returns
// soon after ctx has ended, with ctx's cause. It never panics on account of the
// peer.
func (t *Transfer) Run(ctx context.Context) (res Result) {
	defer t.Port.Close()
	if t.Buffers == nil {
		t.Buffers = new(Buffers)
	}
	if t.Progress == nil {
		t.Progress = new(Progress)
	}
	end := t.Tally.begin(t)
	defer func() { end(ctx, &res) }()
	conn, err := t.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Result{Err: err}
	}
	defer conn.Close() // once more, but for a panic of what it is given
	if l, ok := t.Limiter.(Doner); ok {
		defer l.Done()
	}
	res.Peer = AddrPort(conn.RemoteAddr())
	t.Progress.begin(res.Peer)
	if _, inherited := t.Port.(*Passive); !inherited {
		wakeEarly(conn)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	res.Opened = true
	res.Err = t.move(ctx, conn, &res)
	if e, ok := conn.(Ender); ok {
		if end := e.End(res.Err); res.Err == nil {
			res.Err = netError(broken(end))
		}
	}
	conn.Close()
	t.Progress.End()
	res.Took = t.Progress.Elapsed()
	if ctx.Err() != nil && res.Err != nil {
		res.Err = context.Cause(ctx)
	}
	return res
}

// open opens the port.
func (t *Transfer) open(ctx context.Context) (net.Conn, error) {
	if p, ok := t.Port.(Directed); ok {
		return p.OpenFor(ctx, t.Receive != nil)
	}
	return t.Port.Open(ctx)
}

// direct reports whether the bytes are the same in the file and on the wire, so
// that the kernel may move them by itself.
func (t *Transfer) direct() bool {
	return t.Protect == nil && t.Deflate == nil && !t.ASCII && !t.Copy
}

// move does what Run does between the opening and the closing.
func (t *Transfer) move(ctx context.Context, conn net.Conn, res *Result) (err error) {
	m := mover{Transfer: t, ctx: ctx, conn: conn, pulse: newPulse(t.Least, t.LeastWindow)}
	m.wire, m.tcp = conn.(*net.TCPConn)
	if t.direct() {
		m.bare = bare(conn, t.Send != nil)
	}
	if t.Protect != nil {
		began := time.Now()
		m.sealed, err = t.Protect.protect(ctx, conn, t.Stall, &m.pulse)
		if m.sealed != nil {
			cs := m.sealed.ConnectionState()
			res.TLS, res.Handshake = &cs, time.Since(began)
			t.Progress.secured(&cs)
		}
		if err != nil {
			return err
		}
		m.conn = m.sealed
		if !t.Protect.single {
			m.sealed.buffers = t.Buffers
		}
		defer m.sealed.release()
	}
	m.alive()
	if err := m.wait(0); err != nil {
		return err
	}
	if t.Receive != nil {
		res.Bytes, err = m.receive()
		if m.sealed != nil {
			_ = m.farewell() // clients wait for it: Python's unwrap, for one
			res.Unannounced = err == nil && m.sealed.fin.ended.Load()
		}
		linger(ctx, conn, err)
		return err
	}
	m.even()
	res.Bytes, err = m.send()
	if err == nil && m.sealed != nil {
		err = m.farewell()
		discard(conn)
	}
	return err
}

// netError tells errors of the connection from those of the file.
func netError(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrTruncated), errors.Is(err, ErrStalled), errors.Is(err, ErrSlow):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrStalled
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		switch errno {
		case syscall.ECONNRESET, syscall.EPIPE, syscall.ETIMEDOUT, syscall.ECONNABORTED,
			syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENOTCONN:
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
	}
	return err
}
