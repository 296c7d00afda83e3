package bridge

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// chunk is how much is moved at once.
const chunk = 64 << 10

// patience is how long the client has for its data connection (the model's passive
// timeout), and the server for its stream after it has said that all is sent.
const patience = 30 * time.Second

// The ways in which a transfer ends that are not its peers'.
var (
	errRefused = errors.New("the server has refused it")
	errEnded   = errors.New("the session has ended")
	errLink    = errors.New("the connection to the server was lost")
	errAborted = errors.New("the client has aborted it")
	errChanged = errors.New("the file has changed meanwhile")
)

// A source is where a transfer goes on.
type source struct {
	link  Link
	token string
}

// transfer moves the bytes of one command between the client's data connection and a data
// stream. One goroutine runs it; the session's owner stops it, and has it go on with another
// source after the connection was lost.
type transfer struct {
	verb, name string
	line       []byte // the whole command
	up         bool
	port       dtp.Port
	at         source
	from       int64 // where in the file the transfer begins
	binary     bool  // neither text nor compressed nor a part of the file

	facts atomic.Pointer[string] // those of the file, see same; nil: not known
	sent  upload                 // what has come from the client

	ctx   context.Context
	stop  context.CancelCauseFunc
	moved atomic.Int64
	came  atomic.Bool   // the stream is there
	waits atomic.Bool   // it goes on when there is a connection again
	stuck chan struct{} // holds one when the transfer waits for another source
	next  chan source
	plan  chan plan // of a download of which a part was asked for; nil: of none
	done  chan struct{}
	err   error // how it has ended, after done
	began time.Time
	again int // how often it went on with another source
	links int // over how many connections it came; 0 is one
}

func newTransfer(ctx context.Context, a *asked, at source) *transfer {
	t := &transfer{verb: a.verb, name: a.arg, line: a.line, up: uploads(a.verb), port: a.port, at: at, began: time.Now(),
		stuck: make(chan struct{}, 1), next: make(chan source, 1), done: make(chan struct{}), sent: upload{confirmed: make(chan struct{})}}
	t.ctx, t.stop = context.WithCancelCause(ctx)
	return t
}

// uploads reports whether the bytes of a command come from the client.
func uploads(verb string) bool { return verb == "STOR" || verb == "STOU" || verb == "APPE" }

// resumable reports whether the client need not learn of a lost connection.
func (t *transfer) resumable() bool {
	return t.sent.kept || t.verb == "RETR" && t.binary && t.facts.Load() != nil
}

// ended reports whether it has ended.
func (t *transfer) ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// run moves everything.
func (t *transfer) run() {
	defer close(t.done)
	if t.up {
		t.err = t.upload()
	} else {
		t.err = t.download()
	}
	_ = t.port.Close()
	if t.err != nil && t.ctx.Err() != nil {
		t.err = context.Cause(t.ctx)
	}
	t.stop(nil)
}

// open opens the client's data connection.
func (t *transfer) open() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	conn, err := t.port.Open(ctx)
	if err != nil && t.ctx.Err() == nil && ctx.Err() != nil {
		err = dtp.ErrNobody
	}
	return conn, err
}

// download moves from the server to the client. The server's stream comes first: the
// client's connection waits in the meantime.
func (t *transfer) download() error {
	in, err := t.receive(t.at)
	if err != nil && !t.lost() {
		return err
	}
	conn, failed := t.open()
	if failed != nil {
		if in != nil {
			_ = in.Close()
		}
		return failed
	}
	quit := context.AfterFunc(t.ctx, func() { reset(conn) })
	defer quit()
	in, rest, err := t.decided(in, err)
	if rest != nil {
		return t.join(conn, in, err, rest)
	}
	for {
		if err == nil {
			err = t.pour(conn, in)
		}
		if err == nil {
			return conn.Close() // the kernel sends what is left, and then FIN
		}
		if in, err = t.goOn(err); err != nil {
			reset(conn) // so that it does not take what it has for the file
			return err
		}
	}
}

// pour moves what a stream holds. No error: everything has come.
func (t *transfer) pour(conn net.Conn, in io.ReadCloser) error {
	defer in.Close()
	stop := context.AfterFunc(t.ctx, func() { _ = in.Close() })
	defer stop()
	buf := make([]byte, chunk)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if _, err := conn.Write(buf[:n]); err != nil {
				return &clientError{err}
			}
			t.moved.Add(int64(n))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// clientError is a failure of the client's data connection.
type clientError struct{ err error }

// Error says whose connection it was.
func (c *clientError) Error() string { return "the client's data connection: " + c.err.Error() }

// Unwrap returns what the system says.
func (c *clientError) Unwrap() error { return c.err }

// goOn waits for another source if the connection to the server was lost, and returns its
// stream.
func (t *transfer) goOn(why error) (io.ReadCloser, error) {
	if _, client := errors.AsType[*clientError](why); client || !t.lost() {
		return nil, why
	}
	defer t.wait()()
	select {
	case t.at = <-t.next:
		t.again++
		in, err := t.receive(t.at)
		if err != nil && t.ctx.Err() == nil && t.lost() {
			return t.goOn(err)
		}
		return in, err
	case <-t.ctx.Done():
		return nil, context.Cause(t.ctx)
	}
}

// wait says that the transfer waits for another source; what it returns, that it does no
// more.
func (t *transfer) wait() (end func()) {
	t.waits.Store(true)
	t.stuck <- struct{}{}
	return func() { t.waits.Store(false) }
}

// lost reports whether the connection was lost and it is worth to wait for another one. A
// stream may learn of it a moment before others do.
func (t *transfer) lost() bool {
	return t.ctx.Err() == nil && t.resumable() && gone(t.at.link, t.ctx.Done())
}

// gone reports whether a connection has ended, which may become known in a moment.
func gone(link Link, quit <-chan struct{}) bool {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-link.Done():
	case <-timer.C:
	case <-quit:
	}
	return link.Err() != nil
}

func (t *transfer) receive(from source) (io.ReadCloser, error) {
	in, err := from.link.Receive(t.ctx, from.token)
	if err == nil {
		t.came.Store(true)
	}
	return in, err
}

// reset closes a connection so that its other end learns that something is missing.
func reset(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}

// kind is what the log calls it.
func (t *transfer) kind() string {
	if t.up {
		return "upload"
	}
	return "download"
}
