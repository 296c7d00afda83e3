package quicnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

func TestSession(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, near := s.session(t, c)
	writes(t, far, "220 ready\r\n")
	reads(t, near, "220 ready\r\n")
	writes(t, near, "NOOP\r\n")
	reads(t, far, "NOOP\r\n")
	if far.Protocol() != "ftpq/1" || far.TLS().ServerName != hostName || far.TLS().NegotiatedProtocol != "ftpq/1" || far.TLS().DidResume {
		t.Errorf("%s, %+v", far.Protocol(), far.TLS())
	}
	if b := far.Binding(); len(b) != 32 || !bytes.Equal(b, c.Binding()) {
		t.Errorf("channel binding: %x and %x", b, c.Binding())
	}
	for _, a := range []net.Addr{far.LocalAddr(), far.RemoteAddr(), near.LocalAddr(), near.RemoteAddr(), s.Addr()} {
		if u, ok := a.(*net.UDPAddr); !ok || u.Port == 0 {
			t.Errorf("an address is %T %v", a, a)
		}
	}
	second, also := s.session(t, c)
	if st := s.Stats(); st.FTP != 1 || st.Sessions != 2 || st.Handshakes != 1 || st.Failed != 0 {
		t.Errorf("%+v", st)
	}
	if !bytes.Equal(second.Binding(), far.Binding()) {
		t.Error("two sessions of one connection have other bindings")
	}
	writes(t, far, "221 bye\r\n")
	if err := far.Close(); err != nil || far.Close() != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(near); err != nil || string(got) != "221 bye\r\n" {
		t.Errorf("what was said last: %q, %v", got, err)
	}
	if err := also.Close(); err != nil {
		t.Error(err)
	}
	if n, err := second.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("a session that the client has closed: %d, %v", n, err)
	}
}

// A client that goes in order is no error on any of its sessions.
func TestClientCloses(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, near := s.session(t, c)
	if c.Err() != nil {
		t.Error(c.Err())
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := far.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if !errors.Is(c.Err(), net.ErrClosed) {
		t.Error(c.Err())
	}
	<-c.Done()
	if _, err := c.Session(within(t)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := c.Send(within(t), c.Token()); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := c.Receive(within(t), c.Token()); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestDeadlines(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, near := s.session(t, c)
	for range 2 { // and one may go on
		_ = far.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	}
	_ = far.SetDeadline(time.Time{})
	writes(t, near, "x")
	reads(t, far, "x")
	token := c.Token()
	d := open(t, prepare(t, far, token), false)
	r, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sent := 0
	stuck := make(chan error, 1)
	go func() {
		var err error
		sent, err = d.Write(make([]byte, 8<<20)) // more than the first window
		stuck <- err
	}()
	reads(t, r, "\x00") // some of it is under way
	_ = d.SetDeadline(time.Now())
	if err := <-stuck; !errors.Is(err, os.ErrDeadlineExceeded) || sent == 0 {
		t.Errorf("%d bytes, %v", sent, err)
	}
	_ = d.SetDeadline(time.Time{})
	rest := pattern(8<<20 - sent)
	done := make(chan error, 1)
	go func() {
		_, err := d.Write(rest)
		done <- errors.Join(err, d.End(nil))
	}()
	got, err := io.ReadAll(r)
	got = append([]byte{0}, got...)
	if err := errors.Join(err, <-done); err != nil || len(got) != 8<<20 || !bytes.Equal(got[sent:], rest) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Stream and reply, stream and command: each may overtake the other.
func TestEitherOrder(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, _ := s.session(t, c)
	for i := range 20 {
		token := c.Token()
		send := func() error {
			u, err := c.Send(within(t), token)
			if err != nil {
				return err
			}
			_, err = u.Write([]byte("file"))
			return errors.Join(err, u.Close())
		}
		sent := soon(i%2 == 1, send)
		d := open(t, prepare(t, far, token), true)
		if got, err := io.ReadAll(d); err != nil || string(got) != "file" || d.End(nil) != nil {
			t.Fatalf("%q, %v", got, err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	for i := range 20 {
		token := c.Token()
		p := prepare(t, far, token)
		give := func() error {
			d, err := p.OpenFor(within(t), false)
			if err != nil {
				return err
			}
			_, err = d.Write([]byte("file"))
			return errors.Join(err, d.(ender).End(err))
		}
		given := soon(i%2 == 1, give)
		r, err := c.Receive(within(t), token)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "file" {
			t.Fatalf("%q, %v", got, err)
		}
		if err := <-given; err != nil {
			t.Error(err)
		}
	}
}

// soon does something, in a moment or at once.
func soon(late bool, do func() error) <-chan error {
	done := make(chan error, 1)
	if late {
		time.AfterFunc(time.Millisecond, func() { done <- do() })
	} else {
		done <- do()
	}
	return done
}

// Only FIN is the end of a file, in both directions.
func TestEnds(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, _ := s.session(t, c)
	storage := &fs.PathError{Op: "read", Path: "x", Err: errors.New("I/O error")}
	for _, test := range []struct {
		err  error
		want Code
	}{
		{context.Canceled, CodeAborted}, {dtp.ErrTooLarge, CodeTooLarge}, {dtp.ErrForbidden, CodeForbidden}, {dtp.ErrStalled, CodeIdle}, {storage, CodeStorage},
		{fmt.Errorf("%w: x", dtp.ErrBroken), CodeAborted},
	} {
		token := c.Token()
		d := open(t, prepare(t, far, token), false)
		r, err := c.Receive(within(t), token)
		if err != nil {
			t.Fatal(err)
		}
		writes(t, d, "half")
		reads(t, r, "half")
		if err := d.End(test.err); err != nil {
			t.Error(err)
		}
		wantCode(t, r, test.want)

		token = c.Token()
		u, err := c.Send(within(t), token)
		if err != nil {
			t.Fatal(err)
		}
		writes(t, u, "half")
		up := open(t, prepare(t, far, token), true)
		reads(t, up, "half")
		if err := up.End(test.err); err != nil {
			t.Error(err)
		}
		<-u.d.stream.Context().Done()
		_, err = u.Write([]byte("more"))
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != test.want || e.Connection {
			t.Errorf("the client's Write: %v", err)
		}
		if u.Close() == nil {
			t.Error("the client believes that its file has arrived")
		}
	}
}

// wantCode expects that a stream ends with a code.
func wantCode(t *testing.T, r io.Reader, want Code) {
	t.Helper()
	n, err := io.Copy(io.Discard, r)
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != want {
		t.Errorf("the stream ends after %d more bytes with %v, want code %#x", n, err, uint64(want))
	}
}

// Close without End is the end of something that is not complete.
func TestCloseWithoutEnd(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, _ := s.session(t, c)
	token := c.Token()
	d := open(t, prepare(t, far, token), false)
	r, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	writes(t, d, "half")
	reads(t, r, "half")
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if d.End(nil) == nil {
		t.Error("after Close it can be ended well")
	}
	wantCode(t, r, CodeAborted)
	if _, err := d.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}

	token = c.Token()
	u, err := c.Send(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	up := open(t, prepare(t, far, token), true)
	writes(t, u, "half")
	reads(t, up, "half")
	u.Reset(CodeStorage)
	wantCode(t, up, CodeStorage)
	if err := up.Close(); err != nil {
		t.Error(err)
	}
	if _, err := up.Write(nil); err == nil {
		t.Error("an upload can be written to")
	}
	if _, err := d.Read(nil); err == nil {
		t.Error("a download can be read from")
	}

	token = c.Token()
	last := open(t, prepare(t, far, token), false)
	if r, err = c.Receive(within(t), token); err != nil {
		t.Fatal(err)
	}
	writes(t, last, "whole")
	if err := last.End(nil); err != nil {
		t.Error(err)
	}
	_ = last.Close() // and that takes nothing back
	if got, err := io.ReadAll(r); err != nil || string(got) != "whole" {
		t.Errorf("%q, %v", got, err)
	}
}

// A client that wants no more of a download makes its end an error.
func TestReceiverStops(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, _ := s.session(t, c)
	token := c.Token()
	d := open(t, prepare(t, far, token), false).(*download)
	r, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	<-d.stream.Context().Done()
	err = d.End(nil)
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeAborted {
		t.Errorf("End: %v", err)
	}
}

// A connection that is lost in the middle of a transfer is an error of both sides, and no
// end of a file.
func TestLostInTransfer(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, near := s.session(t, c)
	up, down := c.Token(), c.Token()
	u, err := c.Send(within(t), up)
	if err != nil {
		t.Fatal(err)
	}
	from, to := open(t, prepare(t, far, up), true), open(t, prepare(t, far, down), false)
	r, err := c.Receive(within(t), down)
	if err != nil {
		t.Fatal(err)
	}
	writes(t, u, "half")
	reads(t, from, "half")
	writes(t, to, "half")
	reads(t, r, "half")
	if err := far.CloseWith(CodePolicy); err != nil {
		t.Error(err)
	}
	wantCode(t, r, CodePolicy)
	wantCode(t, near, CodePolicy)
	<-c.Done()
	for _, err := range []error{u.Close(), c.Err()} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodePolicy || !e.Connection {
			t.Error(err)
		}
	}
	if _, err := from.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if to.End(nil) == nil {
		t.Error("a download over a lost connection has ended well")
	}
}
