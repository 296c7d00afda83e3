package parity

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
)

func fileProducer() []line {
	return []line{
		{"FileProducer", "class: yields the pieces of a file", "dtp.Transfer.Send, vfs.File", "code", needless, "any io.Reader is one", testFileProducer},
		{"FileProducer.buffer_size", "attribute = 65536: bytes of one piece", "edge.Transfer.Buffer, dtp.NewBuffers", "transfer.buffers=auto", different,
			"the one setting for buffers, 256 KiB by default", testOutBuffer},
		{"FileProducer.__init__", "method (file, type): in text, LF becomes CR LF unless a CR stands before it", "dtp.Transfer.ASCII, pi.Stream.Text", "code", same, "", testProducerType},
		{"FileProducer.more", "method: the next piece, nothing at the end", "dtp.Transfer.Send", "code", needless, "it is io.Reader's Read", testProducerMore},
	}
}

func iteratorProducer() []line {
	return []line{
		{"BufferedIteratorProducer", "class: yields what an iterator makes, several pieces a time", "dtp.FromSeq", "code", same, "", testIteratorProducer},
		{"BufferedIteratorProducer.loops", "attribute = 20: pieces of the iterator in one write", "edge.Transfer.Buffer, pi.Listing", "code", needless,
			"listings are written in pieces of the buffer's size, and those of an iterator as it makes them", testLoops},
		{"BufferedIteratorProducer.__init__", "method (iterator)", "dtp.FromSeq", "code", same, "", testIteratorInit},
		{"BufferedIteratorProducer.more", "method: the next pieces", "dtp.FromSeq", "code", needless, "it is io.Reader's Read", testIteratorMore},
	}
}

// sentBy runs a transfer in memory and returns what the client got.
func sentBy(t *testing.T, tr *dtp.Transfer) (got string, r dtp.Result) {
	t.Helper()
	r = piped(t, tr, func(c net.Conn) {
		data, _ := io.ReadAll(c)
		got = string(data)
	})
	return got, r
}

func testFileProducer(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "one\ntwo\r\n")
	c := s.login()
	if got := c.get("RETR a"); got != "one\r\ntwo\r\n" {
		t.Errorf("text: %q", got)
	}
	c.says("TYPE I", "200")
	if got := c.get("RETR a"); got != "one\ntwo\r\n" {
		t.Errorf("binary: %q", got)
	}
	if got, r := sentBy(t, &dtp.Transfer{Send: strings.NewReader("any reader")}); got != "any reader" || r.Err != nil {
		t.Errorf("got %q, %v", got, r.Err)
	}
}

func testProducerType(t *testing.T) {
	for text, want := range map[string]string{"": "", "a\nb": "a\r\nb", "a\r\nb\r\n": "a\r\nb\r\n", "\n\n": "\r\n\r\n", "a\r": "a\r", "\r\r\n": "\r\r\n"} {
		if got, _ := sentBy(t, &dtp.Transfer{Send: strings.NewReader(text), ASCII: true}); got != want {
			t.Errorf("%q as text is %q", text, got)
		}
		// A CR LF that is cut in two.
		if got, _ := sentBy(t, &dtp.Transfer{Send: iotest.OneByteReader(strings.NewReader(text)), ASCII: true}); got != want {
			t.Errorf("%q as text, byte by byte, is %q", text, got)
		}
		if got, _ := sentBy(t, &dtp.Transfer{Send: strings.NewReader(text)}); got != text {
			t.Errorf("%q in binary is %q", text, got)
		}
	}
}

func testProducerMore(t *testing.T) {
	got, r := sentBy(t, &dtp.Transfer{Send: iotest.DataErrReader(&pieces{text: []string{"one ", "two"}})})
	if got != "one two" || r.Bytes != 7 || r.Err != nil {
		t.Errorf("got %q, %+v", got, r)
	}
	lost := errors.New("lost")
	got, r = sentBy(t, &dtp.Transfer{Send: io.MultiReader(strings.NewReader("one "), iotest.ErrReader(lost))})
	if got != "one " || !errors.Is(r.Err, lost) {
		t.Errorf("got %q, %v", got, r.Err)
	}
}

// words yields some text, and then an error unless it is nil.
func words(err error, text ...string) func(func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		for _, w := range text {
			if !yield([]byte(w), nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func testIteratorProducer(t *testing.T) {
	s := sends(t, func(context.Context) io.Reader { return dtp.FromSeq(words(nil, "one\n", "two\n")) }, pi.Stream{Text: true})
	c := s.login()
	if got := c.get("XSEND"); got != "one\r\ntwo\r\n" {
		t.Errorf("got %q", got)
	}
}

// A long listing does not go line by line.
func testLoops(t *testing.T) {
	var g gauge
	s := serve(t, func(c *edge.Config) { c.Transfer.Run = g.run })
	for i := range 300 {
		s.write("d/"+strings.Repeat("n", 50)+string(rune('a'+i%26))+string(rune('a'+i/26)), "")
	}
	if got := len(s.login().lines("LIST d")); got != 300 {
		t.Errorf("%d lines", got)
	}
	if most := g.most.Load(); most < 20*100 {
		t.Errorf("the pieces are of %d bytes", most)
	}
}

func testIteratorInit(t *testing.T) {
	began := false
	r := dtp.FromSeq(func(yield func([]byte, error) bool) { began = true; yield([]byte("x"), nil) })
	if began {
		t.Error("the iterator runs before anybody reads")
	}
	if err := r.Close(); err != nil || began {
		t.Errorf("closed: %v, began %v", err, began)
	}
	stopped := false
	r = dtp.FromSeq(func(yield func([]byte, error) bool) {
		defer func() { stopped = true }()
		for yield([]byte("x"), nil) {
		}
	})
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil || !stopped {
		t.Errorf("closed: %v, stopped %v", err, stopped)
	}
}

func testIteratorMore(t *testing.T) {
	whole := dtp.FromSeq(words(nil, "one ", "", "two ", "three"))
	defer whole.Close()
	if err := iotest.TestReader(whole, []byte("one two three")); err != nil {
		t.Error(err)
	}
	lost := errors.New("lost")
	half := dtp.FromSeq(words(lost, "one "))
	defer half.Close()
	got, r := sentBy(t, &dtp.Transfer{Send: half})
	if got != "one " || !errors.Is(r.Err, lost) {
		t.Errorf("got %q, %v", got, r.Err)
	}
}
