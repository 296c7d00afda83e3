package parity

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func dataProgress() []line {
	return []line{
		{"DTPHandler.get_transmitted_bytes", "method: the bytes so far", "dtp.Progress.Bytes, pi.Session.Progress", "code", same, "", testBytes},
		{"DTPHandler.get_elapsed_time", "method: the seconds since the data connection was opened", "dtp.Progress.Elapsed, dtp.Result.Took", "code", same, "", testElapsed},
		{"DTPHandler.transfer_in_progress", "method: whether any byte has moved", "dtp.Progress.Started, dtp.Progress.Active, edge.Status.Transfers", "code", same, "", testInProgress},
	}
}

func dataEnds() []line {
	return []line{
		{"DTPHandler.handle_read", "method: takes a piece of an upload; an error of the file is 426", "dtp.Transfer.Receive, vfs.ErrNoSpace", "code", different,
			"452 where there is no space and 451 for other errors of the file, as RFC 959 §5.4 has them; 426 is for the connection", testWriteErrors},
		{"DTPHandler.handle_timeout", "method: what is said and done when a transfer stalls", "pi.Replies.Stalled, dtp.ErrStalled, policy.EventTimeout", "code", same, "", testHandleStall},
		{"DTPHandler.close", "method: closes the connection and the file, replies, logs and tells, in this order", "dtp.Transfer.Run, dtp.Result", "code", different,
			"the observers are told before the client, who would otherwise be ahead of them", testDataClose},
	}
}

// halfway is a transfer of which half has come: what is read ends when told to.
func halfway(t *testing.T, look func(*dtp.Progress)) dtp.Result {
	t.Helper()
	tr := &dtp.Transfer{Receive: new(bytes.Buffer), Progress: new(dtp.Progress)}
	if tr.Progress.Started() || tr.Progress.Active() || tr.Progress.Elapsed() != 0 || tr.Progress.Bytes() != 0 {
		t.Errorf("something has happened before anything has happened: %+v", tr.Progress)
	}
	r := piped(t, tr, func(c net.Conn) {
		_, _ = io.WriteString(c, "half")
		until(t, "half has come", func() bool { return tr.Progress.Bytes() == 4 })
		look(tr.Progress)
		_, _ = io.WriteString(c, "whole")
	})
	if r.Err != nil {
		t.Error(r.Err)
	}
	look = nil
	if p := tr.Progress; p.Active() || !p.Started() || p.Bytes() != 9 || p.Elapsed() != r.Took {
		t.Errorf("after the end: %d bytes in %v, active %v, started %v; it took %v", p.Bytes(), p.Elapsed(), p.Active(), p.Started(), r.Took)
	}
	return r
}

func testBytes(t *testing.T) {
	if r := halfway(t, func(*dtp.Progress) {}); r.Bytes != 9 {
		t.Errorf("%d bytes", r.Bytes)
	}
}

func testElapsed(t *testing.T) {
	var then time.Duration
	r := halfway(t, func(p *dtp.Progress) {
		began := time.Now()
		if then = p.Elapsed(); then <= 0 {
			t.Errorf("no time has passed: %v", then)
		}
		until(t, "time passes", func() bool { return p.Elapsed() > then+time.Millisecond })
		if d := time.Since(began); p.Elapsed() < d {
			t.Errorf("%v have passed, not %v", p.Elapsed(), d)
		}
	})
	if r.Took <= then {
		t.Errorf("it took %v, after %v half of it had come", r.Took, then)
	}
}

func testInProgress(t *testing.T) {
	halfway(t, func(p *dtp.Progress) {
		if !p.Started() || !p.Active() {
			t.Errorf("half has come: started %v, active %v", p.Started(), p.Active())
		}
	})
	s := serve(t, nil)
	c := s.binary()
	conn, err := c.Begin(userpi.EPSV, "STOR a")
	s.must(err)
	until(t, "a transfer is counted", func() bool { return s.srv.Status().Transfers == 1 })
	s.must(userpi.End(conn))
	c.next("226")
	until(t, "none is counted", func() bool { return s.srv.Status().Transfers == 0 })
}

// broken is a file that cannot be written to.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func testWriteErrors(t *testing.T) {
	for want, err := range map[string]error{"452": vfs.ErrNoSpace, "451": errors.New("an error of the disk")} {
		s := serve(t, func(c *edge.Config) {
			c.Transfer.Run = func(ctx context.Context, tr *dtp.Transfer) dtp.Result {
				tr.Receive = broken{err}
				return tr.Run(ctx)
			}
		})
		c := s.binary()
		conn, berr := c.Begin(userpi.EPSV, "STOR a")
		s.must(berr)
		_, _ = io.WriteString(conn, "content")
		conn.Close()
		if r := c.next(want); strings.Contains(r.String(), "of the disk") {
			t.Errorf("the client is told of the disk: %s", r)
		}
		s.absent("a")
		s.event("incomplete_file_received")
		c.says("NOOP", "200")
	}
}

func testHandleStall(t *testing.T) {
	s := serve(t, func(c *edge.Config) {
		c.Timeouts.Stall, c.Replies.Stalled = 200*time.Millisecond, wire.Say(421, "Nothing moves.")
	})
	c := s.binary()
	conn, err := c.Begin(userpi.EPSV, "STOR a")
	s.must(err)
	c.next("421 Nothing moves.")
	c.closed()
	conn.Close()
	s.told(1, "connect", "login", "timeout", "incomplete_file_received", "disconnect")
}

// When the reply comes, everything else has happened.
func testDataClose(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "content")
	c := s.binary()
	for _, line := range []string{"STOR b", "RETR a"} {
		conn, err := c.Begin(userpi.EPSV, line)
		s.must(err)
		if line == "STOR b" {
			_, err = io.WriteString(conn, "up")
			s.must(err)
			s.must(conn.(*net.TCPConn).CloseWrite())
		}
		c.next("226")
		at := time.Now()
		_, err = io.Copy(io.Discard, conn) // the server's end is closed, whatever is with ours
		s.must(err)
		conn.Close()
		kind := "file_received"
		if line == "RETR a" {
			kind = "file_sent"
		}
		if e := s.event(kind); e.Time.After(at) {
			t.Errorf("%s: told at %v, answered at %v", line, e.Time, at)
		}
		if _, err := os.Stat(s.path("b")); err != nil {
			t.Error(err)
		}
		s.noted(`"msg":"transfer"`, `"event":"`+kind+`"`)
	}
}
