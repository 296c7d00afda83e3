package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// script is a connection that hands out its pieces one read at a time; an empty
// piece is a deadline that passed.
type script struct{ pieces [][]byte }

func (s *script) Read(b []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	p := s.pieces[0]
	if len(p) == 0 {
		s.pieces = s.pieces[1:]
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, p)
	if s.pieces[0] = p[n:]; n == len(p) {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

// What stands in a list of lines for one that was too long, or does not end.
const (
	mark    = "\x00too long\x00"
	endless = "\x00endless\x00"
)

// lines reads everything from src and returns the lines; release lets go of the
// memory at every deadline.
func lines(t testing.TB, r *Reader, src io.Reader, release bool) []string {
	t.Helper()
	var out []string
	for {
		waiting := r.Waiting()
		line, err := r.ReadLine(src)
		switch {
		case err == nil:
			if len(line) > MaxLine {
				t.Fatalf("a line of %d bytes", len(line))
			}
			out = append(out, string(line))
		case errors.Is(err, ErrLineEndless):
			out = append(out, endless)
		case errors.Is(err, ErrLineTooLong):
			out = append(out, mark)
		case errors.Is(err, io.EOF):
			return out
		case errors.Is(err, os.ErrDeadlineExceeded):
			if release {
				r.Release()
			}
		default:
			t.Fatal(err)
		}
		if waiting && err != nil && !errors.Is(err, ErrLineTooLong) {
			t.Fatalf("a line was waiting, and %v came", err)
		}
	}
}

// reading is what bytes make which lines.
type reading struct {
	name string
	in   string
	want []string
}

func TestReader(t *testing.T) {
	long := strings.Repeat("a", MaxLine)
	readings(t, []reading{
		{"CR LF", "NOOP\r\nPWD\r\n", []string{"NOOP", "PWD"}},
		{"LF alone", "NOOP\nPWD\n", []string{"NOOP", "PWD"}},
		{"empty lines", "\r\n\n", []string{"", ""}},
		{"a CR inside", "STOR a\rb\r\n", []string{"STOR a\rb"}},
		{"two CRs", "NOOP\r\r\n", []string{"NOOP\r"}},
		{"CR NUL", "NOOP\r\x00\r\n", []string{"NOOP\r\x00"}},
		{"NUL", "STOR a\x00b\r\n", []string{"STOR a\x00b"}},
		{"no end", "NOOP\r\nQUIT", []string{"NOOP"}},
		{"nothing", "", nil},
		{"IP and DM before ABOR", "\xff\xf4\xff\xf2ABOR\r\n", []string{"ABOR"}},
		{"IP and DM with the DM lost", "\xff\xf4\xffABOR\r\n", []string{"ABOR"}},
		{"the IAC lost", "\xff\xf4\xf2ABOR\r\n", []string{"ABOR"}},
		{"IP and IAC, each urgent by itself", "\xf4\xffabor\r\n", []string{"abor"}},
		{"bytes like these inside of a line", "A\xf4B\r\n", []string{"A\xf4B"}},
		{"WILL, WONT, DO, DONT", "A\xff\xfb\x01B\xff\xfc\x03C\xff\xfdxD\xff\xfe\xffE\n", []string{"ABCDE"}},
		{"SB and SE", "NO\xff\xfa\x18\x01term\xff\xf0OP\r\n", []string{"NOOP"}},
		{"SB with IAC IAC SE in it", "NO\xff\xfaa\xff\xff\xf0b\xff\xf0OP\r\n", []string{"NOOP"}},
		{"SB that never ends", "NO\xff\xfabc\r\nPWD\r\n", []string{"NO", "PWD"}},
		{"SB IAC that never ends", "NO\xff\xfabc\xff\nPWD\r\n", []string{"NO", "PWD"}},
		{"WILL that never ends", "NO\xff\xfb\nPWD\r\n", []string{"NO", "PWD"}},
		{"IAC before the end", "NOOP\xff\r\nPWD\xff\n", []string{"NOOP", "PWD"}},
		{"IAC SE alone", "\xff\xf0NOOP\r\n", []string{"NOOP"}},
		{"the longest line", long + "\r\n" + long + "\n", []string{long, long}},
		{"one byte more", long + "x\r\n" + long + "x\nNOOP\r\n", []string{mark, mark, "NOOP"}},
		{"a CR more", long + "\r\r\nNOOP\r\n", []string{mark, "NOOP"}},
		{"an escaped byte more", long + "\r\xff\xff\nNOOP\r\n", []string{mark, "NOOP"}},
		{"sequences do not count", "\xff\xf4" + long + "\xff\xf2\r\n", []string{long}},
		{"the tail is a command", long + long + " \rDELE x\r\nNOOP\r\n", []string{mark, "NOOP"}},
		{"a long line without an end", long + long + long, nil},
		{"a line without an end", strings.Repeat("x", 2*maxRaw+1), []string{endless, endless}},
		{"SB without an end", "\xff\xfa" + strings.Repeat("x", maxRaw), []string{endless}},
		{"IAC without an end", strings.Repeat("\xff", maxRaw), []string{endless}},
		{"an end at last", strings.Repeat("x", maxRaw) + "DELE x\nPWD\n", []string{endless, mark, "PWD"}},
		{"an end just in time", strings.Repeat("x", maxRaw-1) + "\nPWD\n", []string{mark, "PWD"}},
		{"LF CR", "NOOP\n\rPWD\n\r", []string{"NOOP", "\rPWD"}},
	})
}

// TestReaderArgument holds that Telnet changes no name: see Reader.
func TestReaderArgument(t *testing.T) {
	readings(t, []reading{
		{"IAC IAC", "CWD \xff\xffx\r\n", []string{"CWD \xffx"}},
		{"IAC IAC IAC IAC", "CWD \xff\xff\xff\xff\r\n", []string{"CWD \xff\xff"}},
		{"IAC IAC in the verb", "CW\xff\xffD x\r\n", []string{"CW\xffD x"}},
		{"an IAC that was not doubled", "CWD \xff\x80.txt\r\n", []string{"CWD \xff\x80.txt"}},
		{"and one at the end", "CWD a\xff\r\nCWD b\xff\nPWD\n", []string{"CWD a\xff", "CWD b\xff", "PWD"}},
		{"and one before a space", "RNFR a\xff b\r\n", []string{"RNFR a\xff b"}},
		{"a command in an argument", "STOR a\xff\xf4b\r\n", []string{"STOR a\x00b"}},
		{"options in an argument", "STOR a\xff\xfb\x01b\xff\xfe\xff\r\n", []string{"STOR a\x00b\x00"}},
		{"SB in an argument", "STOR a\xff\xfaxx\xff\xf0b\r\n", []string{"STOR a\x00b"}},
		{"SB in an argument that never ends", "STOR a\xff\xfaxx\nPWD\n", []string{"STOR a\x00", "PWD"}},
		{"spaces before the verb are no argument", "  \xff\xf4\xff\xf2 ABOR\r\n", []string{"   ABOR"}},
		{"the next line begins anew", "CWD \xff\xff\n\xff\xf4\xff\xf2ABOR\n", []string{"CWD \xff", "ABOR"}},
	})
}

func readings(t *testing.T, table []reading) {
	t.Helper()
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{
				"at once":    strings.NewReader(c.in),
				"one by one": iotest.OneByteReader(strings.NewReader(c.in)),
				"with EOF":   iotest.DataErrReader(strings.NewReader(c.in)),
			} {
				if got := lines(t, new(Reader), src, false); !equal(got, c.want) {
					t.Errorf("%s: got %q, want %q", how, got, c.want)
				}
			}
		})
	}
}

func equal(a, b []string) bool {
	return strings.Join(a, "\n") == strings.Join(b, "\n") && len(a) == len(b)
}

// TestReaderDeadline gives a read up in the middle of a line, of a Telnet
// sequence and of a line that is too long, and takes it up again.
func TestReaderDeadline(t *testing.T) {
	in := "NOOP\r\nST\xff\xf4\xff\xf2OR na\xff\xffm\xffe\r\n\xff\xfaabc\xff\xf0PWD\r\nSTOR a\xff\xfb\x01b\r\n" +
		strings.Repeat("x", 2*MaxLine) + "\r\nQUIT\r\n"
	want := []string{"NOOP", "STOR na\xffm\xffe", "PWD", "STOR a\x00b", mark, "QUIT"}
	for _, size := range []int{1, 2, 3, 7, 1000, readSize, 3 * readSize} {
		src := &script{}
		for rest := []byte(in); len(rest) > 0; {
			n := min(size, len(rest))
			src.pieces = append(src.pieces, rest[:n], nil)
			rest = rest[n:]
		}
		if got := lines(t, new(Reader), src, true); !equal(got, want) {
			t.Errorf("pieces of %d: %q", size, got)
		}
	}
}

func TestReaderBuffered(t *testing.T) {
	var r Reader
	src := &script{pieces: [][]byte{[]byte("NOOP\r\nPW"), nil, []byte("D\r\n")}}
	if r.Buffered() != 0 || r.Waiting() {
		t.Error("a fresh reader holds something")
	}
	if _, err := r.ReadLine(src); err != nil {
		t.Fatal(err)
	}
	if r.Buffered() != 2 || r.Waiting() {
		t.Errorf("%d bytes are buffered, want the 2 behind the line", r.Buffered())
	}
	if _, err := r.ReadLine(src); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if r.Buffered() != 2 {
		t.Errorf("%d bytes are buffered, want the partial line's 2", r.Buffered())
	}
	r.Reset()
	if line, err := r.ReadLine(src); err != nil || string(line) != "D" {
		t.Errorf("after Reset: %q, %v", line, err)
	}
	if r.Buffered() != 0 {
		t.Error("something is left")
	}
}

// TestReaderRelease holds that a Reader that waits for nothing holds nothing, and
// that bytes at hand survive.
func TestReaderRelease(t *testing.T) {
	var r Reader
	src := &script{pieces: [][]byte{[]byte("NOOP\r\n"), []byte("PWD\r\nQU"), nil, []byte("IT\r\n"),
		bytes.Repeat([]byte("x"), 2*MaxLine), nil, []byte("\r\n")}}
	read := func(want string) {
		t.Helper()
		line, err := r.ReadLine(src)
		if err != nil || string(line) != want {
			t.Fatalf("%q, %v; want %q", line, err, want)
		}
	}
	read("NOOP")
	if r.Release(); r.buf != nil || r.raw != nil || r.line != nil {
		t.Error("memory is held though nothing waits")
	}
	read("PWD")
	if r.Release(); r.Buffered() != 2 {
		t.Errorf("%d bytes are left of a partial line of 2", r.Buffered())
	}
	if _, err := r.ReadLine(src); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if r.Release(); r.buf != nil || string(r.line) != "QU" {
		t.Errorf("a partial line is kept as %q, with %d bytes of buffer", r.line, cap(r.buf))
	}
	read("QUIT")
	if _, err := r.ReadLine(src); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if r.Release(); r.buf != nil || r.line != nil {
		t.Error("memory is held for a line that is thrown away")
	}
	if _, err := r.ReadLine(src); !errors.Is(err, ErrLineTooLong) {
		t.Errorf("a long line was forgotten by Release: %v", err)
	}
}

// TestReaderBound feeds a line without an end and looks at the memory.
func TestReaderBound(t *testing.T) {
	var r Reader
	src := &script{}
	for range 100 {
		src.pieces = append(src.pieces, bytes.Repeat([]byte("xy\xff\xff"), 4096), nil)
	}
	for range 100 {
		if _, err := r.ReadLine(src); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, ErrLineEndless) {
			t.Fatal(err)
		}
		if cap(r.line) > 2*MaxLine || cap(r.buf) > readSize || r.Buffered() > MaxLine+1 {
			t.Fatalf("%d, %d and %d bytes are held", cap(r.line), cap(r.buf), r.Buffered())
		}
	}
}

// model says by other means what lines the bytes hold: every LF ends one, and a
// Telnet sequence ends with its line.
func model(in []byte) []string {
	var out []string
	for {
		raw, rest, ok := bytes.Cut(in, []byte("\n"))
		for range len(raw) / maxRaw {
			out = append(out, endless)
		}
		if !ok {
			return out
		}
		in = rest
		line := bytes.TrimSuffix(strip(raw), []byte("\r"))
		if len(line) > MaxLine || len(raw) >= maxRaw {
			out = append(out, mark)
		} else {
			out = append(out, string(line))
		}
	}
}

// strip takes Telnet's sequences out of a line: see Reader for those in an
// argument.
func strip(raw []byte) (text []byte) {
	for len(raw) > 0 {
		for len(text) == 0 && len(raw) > 0 && raw[0] >= telnetSE && raw[0] != telnetIAC {
			raw = raw[1:]
		}
		i := bytes.IndexByte(raw, telnetIAC)
		if i < 0 {
			return append(text, raw...)
		}
		text = append(text, raw[:i]...)
		arg := bytes.Contains(bytes.TrimLeft(text, " "), []byte(" "))
		switch {
		case i == len(raw)-1 && arg:
			return append(text, telnetIAC)
		case i == len(raw)-1:
			return text
		}
		b := raw[i+1]
		raw = raw[i+2:]
		switch {
		case b == telnetIAC:
			text = append(text, b)
			continue
		case b < telnetSE && arg:
			text = append(text, telnetIAC, b)
			continue
		case b < telnetSE:
			text = append(text, b)
			continue
		case b == telnetSB:
			raw = skipSub(raw)
		case b >= telnetWILL:
			raw = raw[min(1, len(raw)):]
		}
		if arg {
			text = append(text, 0)
		}
	}
	return text
}

func skipSub(raw []byte) []byte {
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, telnetIAC)
		if i < 0 || i == len(raw)-1 {
			return nil
		}
		if raw[i+1] == telnetSE {
			return raw[i+2:]
		}
		raw = raw[i+2:]
	}
	return nil
}

// FuzzReader cuts the same bytes in all kinds of ways, with deadlines in
// between: the lines are those of the model.
func FuzzReader(f *testing.F) {
	f.Add([]byte("NOOP\r\n\xff\xf4\xff\xf2ABOR\r\n"), []byte{1, 0, 2})
	f.Add([]byte("\xff\xfb\n\xff\xfaab\xff\xffc\n\xff\xf0\nx"), []byte{3})
	f.Add([]byte("a\r\r\nb\x00\n\xff"), []byte{})
	f.Add([]byte("STOR a\xff\xf4b\xff\xffc\xffd\xff\r\n CWD \xff\n"), []byte{2, 5})
	f.Add(append(bytes.Repeat([]byte("z"), MaxLine), "\r\xff\xff\nNOOP\n"...), []byte{255, 0})
	f.Fuzz(func(t *testing.T, in, cuts []byte) {
		if len(in) < 64 { // now and then, something that does not fit
			in = append(bytes.Repeat(in, 300), in...)
		}
		want := model(in)
		if got := lines(t, new(Reader), bytes.NewReader(in), false); !equal(got, want) {
			t.Fatalf("at once: %q, want %q", got, want)
		}
		if got := lines(t, new(Reader), iotest.OneByteReader(bytes.NewReader(in)), false); !equal(got, want) {
			t.Fatalf("one by one: %q, want %q", got, want)
		}
		src := &script{}
		for i, rest := 0, in; len(rest) > 0; i++ {
			n := len(rest)
			if len(cuts) > 0 {
				n = min(n, int(cuts[i%len(cuts)])+1)
			}
			src.pieces = append(src.pieces, rest[:n], nil)
			rest = rest[n:]
		}
		var r Reader
		if got := lines(t, &r, src, len(cuts)%2 == 0); !equal(got, want) {
			t.Fatalf("cut: %q, want %q", got, want)
		}
		if cap(r.line) > 2*MaxLine {
			t.Fatalf("the line holds %d bytes", cap(r.line))
		}
	})
}

// What was returned can be overwritten, and what waits behind it stays.
func TestWipe(t *testing.T) {
	var r Reader
	src := strings.NewReader("PASS hunter2\r\nNOOP\r\nQU")
	line, err := r.ReadLine(src)
	if err != nil || string(line) != "PASS hunter2" {
		t.Fatal(string(line), err)
	}
	r.Wipe()
	if bytes.Contains(r.buf, []byte("hunter2")) || bytes.Contains(r.line[:cap(r.line)], []byte("hunter2")) || strings.Contains(string(line), "hunter2") {
		t.Errorf("%q %q", r.buf, line)
	}
	if line, err = r.ReadLine(src); err != nil || string(line) != "NOOP" {
		t.Error(string(line), err)
	}
	r.Wipe()
	if _, err = r.ReadLine(src); err != io.EOF { // a partial line is kept across errors
		t.Error(err)
	}
	r.Wipe()
	if line, err = r.ReadLine(strings.NewReader("IT\r\n")); err != nil || string(line) != "QUIT" {
		t.Error(string(line), err)
	}
	r.Release()
	r.Wipe()
	new(Reader).Wipe()
}

// A partial line takes no more room than it needs once it is clear that the rest takes
// its time, and leaves no copy behind.
func TestReleasePartial(t *testing.T) {
	for _, n := range []int{1, 60, 100, 2500} {
		var r Reader
		_, err := r.ReadLine(strings.NewReader(strings.Repeat("a", n)))
		if !errors.Is(err, io.EOF) || r.Idle() {
			t.Fatalf("%v; idle: %v", err, r.Idle())
		}
		buf, whole := r.buf, r.line[:cap(r.line)]
		r.Release()
		if cap(r.line) > 2*n+8 || r.buf != nil {
			t.Errorf("%d bytes take %d", n, cap(r.line))
		}
		if bytes.Contains(buf, []byte("a")) || &whole[0] != &r.line[0] && bytes.Contains(whole, []byte("a")) {
			t.Errorf("of %d bytes there are copies left", n)
		}
		line, err := r.ReadLine(strings.NewReader("b\r\n"))
		if want := strings.Repeat("a", n) + "b"; err != nil || string(line) != want {
			t.Errorf("the line is %q, %v", line, err)
		}
		if !r.Idle() {
			t.Error("something is left")
		}
	}
}
