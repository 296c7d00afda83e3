package dtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// The ways in which a transfer ends before its time. What is not one of these
// is an error of the file.
var (
	ErrBroken    = errors.New("the data connection broke")
	ErrTruncated = errors.New("the data connection ended without close_notify")
	ErrStalled   = errors.New("no byte moved within the time limit")
	ErrTooLarge  = errors.New("the file is larger than permitted")
)

// Progress counts the bytes that a running transfer has moved on the data
// connection. It may be read at any time.
type Progress struct{ bytes atomic.Int64 }

// Bytes returns the count so far.
func (p *Progress) Bytes() int64 { return p.bytes.Load() }

// Transfer is one use of a data connection. Exactly one of Send and Receive is
// set.
type Transfer struct {
	Port    Port
	Protect *Protection // nil leaves the connection in the clear

	Send    io.Reader // to the client; an *os.File goes by sendfile
	Receive io.Writer // from the client; one that is an io.ReaderFrom of an *os.File by splice
	ASCII   bool      // convert line ends (RFC 959 §3.1.1.1)

	MaxBytes int64         // largest number of decoded bytes to receive; 0 is no limit
	Stall    time.Duration // longest time without a byte; 0 is no limit
	Limiter  *throttle.Limiter
	Buffers  *Buffers // never nil
	Progress *Progress
}

// Result says how a transfer ended.
type Result struct {
	Bytes  int64 // decoded bytes that were moved between the file and the client
	Took   time.Duration
	Opened bool  // the data connection came to be
	Err    error // nil: everything was moved and the end was proper
}

// Run opens the port, moves the bytes and closes the data connection. It returns
// soon after ctx has ended, with ctx's cause. It never panics on account of the
// peer.
func (t *Transfer) Run(ctx context.Context) (res Result) {
	defer t.Port.Close()
	conn, err := t.Port.Open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Result{Err: err}
	}
	start := time.Now()
	wakeEarly(conn)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	res.Opened = true
	res.Bytes, res.Err = t.move(ctx, conn)
	res.Took = time.Since(start)
	conn.Close()
	if ctx.Err() != nil && res.Err != nil {
		res.Err = context.Cause(ctx)
	}
	return res
}

func (t *Transfer) move(ctx context.Context, conn net.Conn) (int64, error) {
	m := mover{Transfer: t, ctx: ctx, conn: conn}
	if t.Protect != nil {
		s, err := t.Protect.protect(ctx, conn)
		if err != nil {
			return 0, err
		}
		m.conn, m.sealed = s, s
	}
	if t.Receive != nil {
		n, err := m.receive()
		if m.sealed != nil {
			_ = m.farewell() // clients wait for it: Python's unwrap, for one
		}
		return n, err
	}
	n, err := m.send()
	if err == nil && m.sealed != nil {
		err = m.farewell()
	}
	return n, err
}

// Buffers lends the buffers of transfers that the kernel cannot do by itself.
// The zero value is ready to use.
type Buffers struct{ pool sync.Pool }

// bufferSize holds 16 TLS records.
const bufferSize = 256 << 10

func (b *Buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	s := make([]byte, bufferSize)
	return &s
}

func (b *Buffers) put(p *[]byte) { b.pool.Put(p) }

// netError tells errors of the connection from those of the file.
func netError(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrTruncated), errors.Is(err, ErrStalled):
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
