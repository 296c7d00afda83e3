//go:build linux

package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// conn is one whose server has said something, and then hangs up.
func conn(said string) *Conn {
	return &Conn{in: bufio.NewReaderSize(strings.NewReader(said), 64)}
}

func TestReply(t *testing.T) {
	for _, tt := range []struct {
		said string
		code int
		text string
	}{
		{"220 here\r\n", 220, "here"}, {"200\r\n", 200, ""}, {"220 \n", 220, ""},
		{"211-first\r\n 211 not the end\r\n220 nor this\r\nnor\r\n211-this\r\n211 end\r\n", 211, "first"},
		{"211-a\r\n211\r\n", 211, "a"},
	} {
		code, text, err := conn(tt.said).Reply()
		if code != tt.code || text != tt.text || err != nil {
			t.Errorf("%q: %d %q %v", tt.said, code, text, err)
		}
	}
	for _, said := range []string{"", "20", "\r\n", "2x0 a\r\n", "200a\r\n", "211-a\r\n", "hello\r\n", strings.Repeat("1", 100) + "\r\n"} {
		if code, _, err := conn(said).Reply(); err == nil {
			t.Errorf("%q is taken as %d", said, code)
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add("211-a\r\nb\r\n211 c\r\n")
	f.Fuzz(func(t *testing.T, said string) {
		code, _, err := conn(said).Reply()
		if err == nil && (code < 0 || code > 999) {
			t.Errorf("%q is %d", said, code)
		}
	})
}

func TestPorts(t *testing.T) {
	if p, err := extended("Entering Extended Passive Mode (|||6446|)"); p != 6446 || err != nil {
		t.Errorf("%d, %v", p, err)
	}
	if p, err := passive("Entering Passive Mode (127,0,0,1,200,13)."); p != 200<<8|13 || err != nil {
		t.Errorf("%d, %v", p, err)
	}
	for _, bad := range []string{"", "|||", "|||x|", "|||0|", "|||99999|", "|||12"} {
		if p, err := extended(bad); err == nil {
			t.Errorf("%q is %d", bad, p)
		}
	}
	for _, bad := range []string{"", "(1,2,3,4,5)", "(127,0,0,1,300,1)", "(127,0,0,1,0,0)"} {
		if p, err := passive(bad); err == nil {
			t.Errorf("%q is %d", bad, p)
		}
	}
}

func FuzzPorts(f *testing.F) {
	f.Add("(|||6446|)")
	f.Add("(127,0,0,1,200,13)")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (int, error){extended, passive} {
			if p, err := parse(text); err == nil && (p <= 0 || p > 65535) {
				t.Errorf("%q is %d", text, p)
			}
		}
	})
}

// record is a TLS record of a type with so much behind its header.
func record(kind byte, n int) []byte {
	return append([]byte{kind, 3, 3, byte(n >> 8), byte(n)}, make([]byte, n)...)
}

// TestFraming feeds records in pieces of every size.
func TestFraming(t *testing.T) {
	stream := bytes.Join([][]byte{record(22, 90), record(typeData, 1000+overhead), record(typeData, 16384+overhead), record(typeData, overhead)}, nil)
	for _, size := range []int{1, 2, 3, 5, 7, 100, 20000} {
		f := &framing{}
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			f.feed(rest[:n])
			rest = rest[n:]
		}
		if f.payload != 17384 || f.closed {
			t.Errorf("in pieces of %d: %d, closed %v", size, f.payload, f.closed)
		}
		f.feed(record(typeData, 2+overhead))
		if !f.closed {
			t.Errorf("in pieces of %d: the alert is not seen", size)
		}
	}
	f := &framing{}
	f.feed(record(typeAlert, 2))
	if !f.closed {
		t.Error("the alert of TLS 1.2 is not seen")
	}
}

func FuzzFraming(f *testing.F) {
	f.Add(record(typeData, 100), 3)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		whole, pieces := &framing{}, &framing{}
		whole.feed(stream)
		for rest := stream; len(rest) > 0; {
			n := min(max(size, 1), len(rest))
			pieces.feed(rest[:n])
			rest = rest[n:]
		}
		if *whole != *pieces || whole.payload < 0 {
			t.Errorf("%+v in one piece, %+v in pieces of %d", whole, pieces, size)
		}
	})
}

// TestGather holds that records go together, in order, and nothing is kept back.
func TestGather(t *testing.T) {
	a, b := net.Pipe()
	got := make(chan [][]byte, 1)
	go func() {
		var writes [][]byte
		for p := make([]byte, 100); ; {
			n, err := b.Read(p)
			if errors.Is(err, io.EOF) {
				got <- writes
				return
			}
			writes = append(writes, bytes.Clone(p[:n]))
		}
	}()
	w := &Wire{Conn: a}
	for i, p := range []string{"alone", "ab", "cd", "ef", "longer than that"} {
		if i == 1 {
			w.Gather(5)
		}
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if s := string(bytes.Join(<-got, []byte("|"))); s != "alone|abcd|ef|longer than that" {
		t.Errorf("%s", s)
	}
}
