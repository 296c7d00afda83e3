package nvt_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/edgeftp/edgeftp/edge/internal/nvt"
)

func encode(pieces ...string) string {
	var e nvt.Encoder
	var out []byte
	for _, p := range pieces {
		out = e.Append(out, []byte(p))
	}
	return string(out)
}

func decode(pieces ...string) string {
	var d nvt.Decoder
	var out []byte
	for _, p := range pieces {
		out = d.Append(out, []byte(p))
	}
	return string(d.Flush(out))
}

func TestEncode(t *testing.T) {
	cases := []struct {
		pieces []string
		want   string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"\n"}, "\r\n"},
		{[]string{"a\nb\n"}, "a\r\nb\r\n"},
		{[]string{"a\r\nb"}, "a\r\nb"},
		{[]string{"a\r", "\nb"}, "a\r\nb"},
		{[]string{"a\r", "", "\nb"}, "a\r\nb"},
		{[]string{"\r", "\r", "\n", "\n"}, "\r\r\n\r\n"},
		{[]string{"\n\n\n"}, "\r\n\r\n\r\n"},
		{[]string{"a\rb\n"}, "a\rb\r\n"},
		{[]string{"no end"}, "no end"},
	}
	for _, c := range cases {
		if got := encode(c.pieces...); got != c.want {
			t.Errorf("encode %q = %q, want %q", c.pieces, got, c.want)
		}
	}
}

func TestDecode(t *testing.T) {
	cases := []struct {
		pieces []string
		want   string
	}{
		{nil, ""},
		{[]string{"\r\n"}, "\n"},
		{[]string{"a\r\nb\r\n"}, "a\nb\n"},
		{[]string{"a\r", "\nb"}, "a\nb"},
		{[]string{"a\r", "", "\nb"}, "a\nb"},
		{[]string{"a\r", "b"}, "a\rb"},
		{[]string{"a\rb"}, "a\rb"},
		{[]string{"\r\r\n"}, "\r\n"},
		{[]string{"\r", "\r", "\n"}, "\r\n"},
		{[]string{"a\nb"}, "a\nb"},
		{[]string{"end\r"}, "end\r"},
		{[]string{"\r"}, "\r"},
		{[]string{"\r", "\r"}, "\r\r"},
	}
	for _, c := range cases {
		if got := decode(c.pieces...); got != c.want {
			t.Errorf("decode %q = %q, want %q", c.pieces, got, c.want)
		}
	}
}

func TestFlushStartsAnew(t *testing.T) {
	var d nvt.Decoder
	out := d.Flush(d.Append(nil, []byte("\r")))
	out = d.Flush(d.Append(out, []byte("\n")))
	if string(out) != "\r\n" {
		t.Errorf("two streams gave %q", out)
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	var e nvt.Encoder
	if got := e.Append([]byte("\r"), []byte("\n")); string(got) != "\r\r\n" {
		t.Errorf("bytes of dst were taken for the stream's: %q", got)
	}
}

func TestNoAllocation(t *testing.T) {
	src := bytes.Repeat([]byte("a line of text\n"), 1000)
	wire := []byte(encode(string(src)))
	dst := make([]byte, 0, 2*len(src))
	var e nvt.Encoder
	var d nvt.Decoder
	if n := testing.AllocsPerRun(20, func() { dst = e.Append(dst[:0], src) }); n != 0 {
		t.Errorf("encoding allocates %v times", n)
	}
	if n := testing.AllocsPerRun(20, func() { dst = d.Append(dst[:0], wire) }); n != 0 {
		t.Errorf("decoding allocates %v times", n)
	}
}

func TestReader(t *testing.T) {
	text := strings.Repeat("one\ntwo\r\nthree\r", 9000)
	want := encode(text)
	wraps := map[string]func(io.Reader) io.Reader{
		"plain":           func(r io.Reader) io.Reader { return r },
		"byte":            iotest.OneByteReader,
		"half":            iotest.HalfReader,
		"data with error": iotest.DataErrReader,
	}
	for name, wrap := range wraps {
		got, err := io.ReadAll(nvt.NewReader(wrap(strings.NewReader(text))))
		if err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v; want %d bytes", name, len(got), err, len(want))
		}
	}
	if err := iotest.TestReader(nvt.NewReader(strings.NewReader("a\nb")), []byte("a\r\nb")); err != nil {
		t.Error(err)
	}
}

func TestReaderPassesErrors(t *testing.T) {
	broken := errors.New("broken disk")
	src := io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(broken))
	got, err := io.ReadAll(nvt.NewReader(src))
	if string(got) != "a\r\n" || !errors.Is(err, broken) {
		t.Errorf("got %q, %v", got, err)
	}
}
