package parity

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

func dataMethods() []line {
	return []line{
		{"DTPHandler.__init__", "method (sock, cmd_channel): a transfer on a data connection", "dtp.Transfer.Port, dtp.Port.Open", "code", same, "", testTransferPort},
		{"DTPHandler.use_sendfile", "method: only a plain file, in binary, in the clear", "dtp.Transfer.Copy, dtp.Transfer.ASCII, dtp.Transfer.Protect", "code", same, "", testUseSendfile},
		{"DTPHandler.push", "method (data): sends bytes", "pi.Session.Send, pi.Stream", "code", same, "", testPush},
		{"DTPHandler.push_with_producer", "method (producer): sends what a producer makes", "pi.Session.Send, dtp.FromSeq", "code", same, "", testPushProducer},
		{"DTPHandler.enable_receiving", "method (type, cmd): takes an upload; in text CR LF becomes LF, and a CR at the very end is lost", "dtp.Transfer.Receive, dtp.Transfer.ASCII", "code", safer,
			"a CR at the very end is kept", testReceiving},
	}
}

// pipe is a data port in memory.
type pipe struct{ net.Conn }

func (p pipe) Open(context.Context) (net.Conn, error) { return p.Conn, nil }

// piped runs a transfer in memory; other is the client's end.
func piped(t *testing.T, tr *dtp.Transfer, other func(net.Conn)) dtp.Result {
	t.Helper()
	a, b := net.Pipe()
	tr.Port = pipe{a}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.Close()
		other(b)
	}()
	r := tr.Run(t.Context())
	<-done
	return r
}

func testTransferAlone(t *testing.T) {
	var got []byte
	r := piped(t, &dtp.Transfer{Send: strings.NewReader("content")}, func(c net.Conn) { got, _ = io.ReadAll(c) })
	if string(got) != "content" || r.Bytes != 7 || r.Err != nil || !r.Opened || r.Took <= 0 {
		t.Errorf("sent %q, %+v", got, r)
	}
	var kept bytes.Buffer
	r = piped(t, &dtp.Transfer{Receive: &kept}, func(c net.Conn) { _, _ = io.WriteString(c, "content") })
	if kept.String() != "content" || r.Bytes != 7 || r.Err != nil {
		t.Errorf("received %q, %+v", kept.String(), r)
	}
}

// lost is a port that nobody comes to.
type lost struct{ closed bool }

func (*lost) Open(context.Context) (net.Conn, error) { return nil, dtp.ErrNobody }
func (l *lost) Close() error                         { l.closed = true; return nil }

func testTransferPort(t *testing.T) {
	port := new(lost)
	tr := &dtp.Transfer{Port: port, Send: strings.NewReader("content")}
	if r := tr.Run(t.Context()); !errors.Is(r.Err, dtp.ErrNobody) || r.Opened || !port.closed {
		t.Errorf("without a connection: %+v, closed %v", r, port.closed)
	}
	testTransferAlone(t)
}

func testUseSendfile(t *testing.T) {
	s := tlsSite(t, nil)
	for _, name := range []string{"a", "b", "c"} {
		s.write(name, strings.Repeat("a", 32<<10))
	}
	if !s.byReference(s.binary(), "RETR a") {
		t.Error("a plain binary file is copied")
	}
	if s.byReference(s.login(), "RETR b") {
		t.Error("text goes by sendfile")
	}
	if s.byReference(s.secured(), "RETR c") {
		t.Error("a protected transfer goes by sendfile")
	}
}

// sends is a server with a command that sends something.
func sends(t *testing.T, what func(context.Context) io.Reader, st pi.Stream) *site {
	t.Helper()
	return serve(t, func(c *edge.Config) {
		c.Commands = pi.Standard().With(pi.Spec{Verb: "XSEND", Lane: pi.Data, Help: ": send something",
			Handler: func(s *pi.Session, _ pi.Args) pi.Outcome { return s.Send(what(t.Context()), st) }})
	})
}

func testPush(t *testing.T) {
	s := sends(t, func(context.Context) io.Reader { return strings.NewReader("one\ntwo\n") }, pi.Stream{Text: true, Mark: "Here it comes."})
	c := s.login()
	c.says("XSEND", "425", "EPSV", "229", "XSEND", "150 Here it comes.")
	c.says("ABOR", "426")
	c.next("226")
	if got := c.get("XSEND"); got != "one\r\ntwo\r\n" {
		t.Errorf("text: %q", got)
	}
	c.says("TYPE I", "200")
	if got := c.get("XSEND"); got != "one\ntwo\n" {
		t.Errorf("binary: %q", got)
	}
}

func testPushProducer(t *testing.T) {
	ended := make(chan struct{}, 2)
	var produce iter.Seq2[[]byte, error] = func(yield func([]byte, error) bool) {
		defer func() { ended <- struct{}{} }()
		for _, word := range []string{"one ", "two ", "three"} {
			if !yield([]byte(word), nil) {
				return
			}
		}
	}
	s := sends(t, func(context.Context) io.Reader { return dtp.FromSeq(produce) }, pi.Stream{})
	c := s.binary()
	if got := c.get("XSEND"); got != "one two three" {
		t.Errorf("got %q", got)
	}
	<-ended
	c.says("EPSV", "229", "XSEND", "150", "ABOR", "426") // it never began
	c.next("226")
}

func testReceiving(t *testing.T) {
	s := serve(t, nil)
	c := s.login()
	for sent, stored := range map[string]string{
		"one\r\ntwo\r\n": "one\ntwo\n", "a\rb\r\n": "a\rb\n", "abc\r\ndef\r": "abc\ndef\r", "\r\r\n\n": "\r\n\n", "": "",
	} {
		c.says("TYPE A", "200")
		c.put("STOR a", sent)
		s.holds("a", stored)
		c.says("TYPE I", "200")
		c.put("STOR a", sent)
		s.holds("a", sent)
	}
	var kept bytes.Buffer // a CR LF that is cut in two
	piped(t, &dtp.Transfer{Receive: &kept, ASCII: true}, func(conn net.Conn) {
		for _, b := range []byte("a\r\nb\r") {
			_, _ = conn.Write([]byte{b})
		}
	})
	if kept.String() != "a\nb\r" {
		t.Errorf("byte by byte: %q", kept.String())
	}
}

// nothing is a filesystem without files.
type nothing struct{ vfs.FS }
