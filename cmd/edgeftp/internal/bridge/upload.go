package bridge

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// errTooSoon is the error of a server that takes an upload for complete before it is.
var errTooSoon = errors.New("the server takes the upload for complete, and it is not")

// upload is what has come of one from the client.
type upload struct {
	window
	kept      bool          // it goes on after the connection was lost
	whole     bool          // the client has ended it
	stored    int64         // so much of it the server has when it goes on
	confirmed chan struct{} // closed when the server has said that it is complete
}

// keep makes an upload one that goes on after the connection was lost.
func (u *upload) keep() {
	u.kept = true
	u.keeps()
}

// upload moves from the client to the server. The end of the client's data connection is
// that of the file: FTP in stream mode knows no other (RFC 959 §3.4.1).
func (t *transfer) upload() error {
	conn, err := t.open()
	if err != nil {
		return err
	}
	quit := context.AfterFunc(t.ctx, func() { reset(conn) })
	defer quit()
	for {
		if err = t.send(conn); err == nil {
			err = t.confirm()
		}
		if err == nil {
			return conn.Close()
		}
		over, err := t.sendOn(err)
		switch {
		case err != nil:
			reset(conn)
			return err
		case over:
			return conn.Close()
		}
	}
}

// send moves over one stream what the server does not have yet.
func (t *transfer) send(conn net.Conn) error {
	out, err := t.at.link.Send(t.ctx, t.at.token)
	if err != nil {
		return err
	}
	t.came.Store(true)
	stop := context.AfterFunc(t.ctx, out.Reset)
	defer stop()
	err = t.sent.read(t.sent.stored, t.sent.total, func(b []byte) error {
		_, err := out.Write(b)
		return err
	})
	if err == nil {
		err = t.draw(conn, out)
	}
	if err != nil {
		out.Reset()
		return err
	}
	if !stop() { // what was stopped is not complete
		return context.Cause(t.ctx)
	}
	return out.Close()
}

// draw moves what the client sends. No error: it has ended its connection in order.
func (t *transfer) draw(conn net.Conn, out io.Writer) error {
	defer t.interrupt(conn)()
	for !t.sent.whole {
		room := t.sent.room()
		n, err := conn.Read(room)
		if n > 0 {
			t.sent.took(n)
			t.moved.Add(int64(n))
			if _, err := out.Write(room[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errLink
		case err != nil && !errors.Is(err, io.EOF):
			return &clientError{err}
		}
		t.sent.whole = err != nil
	}
	return nil
}

// interrupt ends a wait for the client when the connection to the server is lost: who sends
// slowly is not to be the last to learn of it. What it returns takes that back.
func (t *transfer) interrupt(conn net.Conn) (end func()) {
	if !t.sent.kept {
		return func() {}
	}
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-t.at.link.Done():
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		case <-over:
		}
	})
	return func() {
		close(over)
		watch.Wait()
		_ = conn.SetReadDeadline(time.Time{})
	}
}

// confirm waits until the server has said that an upload is complete, where somebody has to
// go on with it else.
func (t *transfer) confirm() error {
	if !t.sent.kept {
		return nil
	}
	select {
	case <-t.sent.confirmed:
		return nil
	case <-t.at.link.Done():
		return t.at.link.Err()
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

// sendOn waits for another connection if this one was lost, unless the server's last word was
// that the upload is over.
func (t *transfer) sendOn(why error) (over bool, err error) {
	if _, client := errors.AsType[*clientError](why); client || !t.lost() {
		return false, why
	}
	defer t.wait()()
	select {
	case t.at = <-t.next:
		t.again++
		return false, nil
	case <-t.sent.confirmed:
		if !t.sent.whole {
			return false, errTooSoon
		}
		return true, nil
	case <-t.ctx.Done():
		return false, context.Cause(t.ctx)
	}
}
