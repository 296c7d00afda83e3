package charset

import (
	"errors"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// longest is how many bytes a character takes at most: GB 18030 has four.
const longest = 4

// coder reads and writes an encoding of several bytes one character at a time. It
// belongs to one goroutine.
type coder struct {
	dec *encoding.Decoder
	enc *encoding.Encoder
	buf [4 * utf8.UTFMax]byte
	out [2 * longest]byte
	one [utf8.UTFMax]byte
}

func (c *Charset) coder() *coder {
	return &coder{dec: c.enc.NewDecoder(), enc: c.enc.NewEncoder()}
}

// read returns the first character of src and how many bytes it takes; 0 if they
// are no single character, or one that cannot be written again.
func (t *coder) read(src []byte) (rune, int) {
	for n := 1; n <= min(longest, len(src)); n++ {
		t.dec.Reset()
		wrote, took, err := t.dec.Transform(t.buf[:], src[:n], false)
		if wrote == 0 && errors.Is(err, transform.ErrShortSrc) {
			continue
		}
		r, size := utf8.DecodeRune(t.buf[:wrote])
		if took != n || size != wrote || err != nil || (r < utf8.RuneSelf) != (src[0] < utf8.RuneSelf) {
			return utf8.RuneError, 0
		}
		back := t.write(r)
		if back == nil || r == utf8.RuneError && string(back) != string(src[:n]) {
			return utf8.RuneError, 0
		}
		return r, n
	}
	return utf8.RuneError, 0
}

// partial reports whether a character may begin with b and go on.
func (t *coder) partial(b byte) bool {
	t.dec.Reset()
	wrote, _, err := t.dec.Transform(t.buf[:], []byte{b}, false)
	return wrote == 0 && errors.Is(err, transform.ErrShortSrc)
}

// write returns the bytes of a character, valid until the next call; nil if it
// cannot be written.
func (t *coder) write(r rune) []byte {
	t.enc.Reset()
	src := utf8.AppendRune(t.one[:0], r)
	wrote, took, err := t.enc.Transform(t.out[:], src, true)
	if err != nil || took != len(src) || wrote == 0 || (t.out[0] < utf8.RuneSelf) != (r < utf8.RuneSelf) {
		return nil
	}
	return t.out[:wrote]
}
