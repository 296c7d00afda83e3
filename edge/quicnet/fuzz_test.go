package quicnet

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// A head is read to its end and no further, in whatever pieces it comes; there is one form
// of each, and every other is one of two faults.
func FuzzDataHead(f *testing.F) {
	v := readVectors(f)
	for _, w := range v.Data {
		f.Add(unhex(f, w.Hex))
	}
	for _, w := range v.Bad {
		f.Add(unhex(f, w.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		token, err := readDataHead(r)
		again, err2 := readDataHead(iotest.OneByteReader(bytes.NewReader(b)))
		if token != again || (err == nil) != (err2 == nil) {
			t.Fatalf("in pieces: %v, %v; else %v, %v", again, err2, token, err)
		}
		if err != nil {
			if !errors.Is(err, errType) && !errors.Is(err, errMalformed) {
				t.Fatal(err)
			}
			return
		}
		read := b[:len(b)-r.Len()]
		if !bytes.Equal(appendDataHead(nil, token), read) {
			t.Fatalf("%x is another form of the head of %v", read, token)
		}
	})
}

func FuzzToken(f *testing.F) {
	v := readVectors(f)
	for _, w := range v.Tokens {
		f.Add(w.Text)
	}
	for _, text := range v.Not {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if token, err := ParseToken(s); err == nil && token.String() != s {
			t.Fatalf("%q is another form of %s", s, token)
		}
	})
}

// FuzzVarint: what is written is read, and takes what RFC 9000 §16 says.
func FuzzVarint(f *testing.F) {
	for _, n := range []uint64{0, 63, 64, 16383, 16384, 1<<30 - 1, 1 << 30, 1<<62 - 1} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n uint64) {
		n &= 1<<62 - 1
		b := appendVarint(nil, n)
		r := bytes.NewReader(b)
		got, err := readVarint(r)
		if err != nil || got != n || r.Len() != 0 {
			t.Fatalf("%d is read as %d, %v", n, got, err)
		}
		want := 8
		switch {
		case n < 64:
			want = 1
		case n < 16384:
			want = 2
		case n < 1<<30:
			want = 4
		}
		if len(b) != want {
			t.Fatalf("%d takes %d bytes", n, len(b))
		}
	})
}

// What breaks in the middle of a head is told from its end.
func TestHeadBreaks(t *testing.T) {
	for n := range len(head(Token{})) {
		_, err := readDataHead(io.MultiReader(bytes.NewReader(head(Token{})[:n]), iotest.ErrReader(errBroken)))
		if !errors.Is(err, errBroken) || errors.Is(err, errMalformed) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

var errBroken = errors.New("broken")
