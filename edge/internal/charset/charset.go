package charset

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
)

// The errors of this package, to be tested with errors.Is.
var (
	// ErrUnknown says that there is no encoding of that name, or none that this
	// server has.
	ErrUnknown = errors.New("unknown encoding")
	// ErrUnusable says that the encoding cannot carry FTP's lines.
	ErrUnusable = errors.New("unusable encoding: ASCII bytes do not always mean ASCII characters in it")
	// ErrMode says that the mode does not exist, or not for this encoding.
	ErrMode = errors.New("unusable mode for undecodable bytes")
	// ErrUndecodable says that a line is not in the client's encoding: 501.
	ErrUndecodable = errors.New("not in the client's encoding")
)

// Mode says what becomes of bytes that mean nothing in the encoding.
type Mode uint8

// The modes. The zero value is Default.
const (
	// Default is Keep for UTF-8 and Strict for any other encoding: no two names
	// become one.
	Default Mode = iota
	// Keep lets the bytes pass as they are, both ways. Nothing is lost: a file
	// whose name is not UTF-8 can be listed and fetched. For UTF-8 only.
	Keep
	// Replace puts U+FFFD for each of them, the model's way. Two names may become
	// one.
	Replace
	// Strict refuses a command that holds such bytes.
	Strict
	// Ignore drops them. Two names may become one.
	Ignore
)

// ParseMode returns the mode of a name as the configuration has it: "keep",
// "replace", "strict" or "ignore"; "" is Default.
func ParseMode(name string) (Mode, error) {
	for m := Default; m <= Ignore; m++ {
		if m.String() == name {
			return m, nil
		}
	}
	return Default, fmt.Errorf("%w: %q; keep, replace, strict and ignore are known", ErrMode, name)
}

// String returns the mode's name.
func (m Mode) String() string {
	switch m {
	case Keep:
		return "keep"
	case Replace:
		return "replace"
	case Strict:
		return "strict"
	case Ignore:
		return "ignore"
	}
	return ""
}

// Charset is an encoding and a mode. It has no state and may be used by any number
// of goroutines. A nil Charset is UTF-8 with Keep. Make others with New.
type Charset struct {
	name string
	mode Mode
	enc  encoding.Encoding // nil: UTF-8

	// Of an encoding of single bytes, what bytes from 0x80 on mean (utf8.RuneError
	// nothing), and the way back; nil of others.
	high  *[0x80]rune
	bytes map[rune]byte
	spare []byte // what is written for what cannot be
}

// New returns the charset of an IANA name (RFC 2978) such as "UTF-8", "ISO-8859-1",
// "windows-1251", "Shift_JIS" or "GBK", in any case and without regard to "-" and
// "_"; "" is UTF-8. The error wraps ErrUnknown, ErrUnusable or ErrMode.
func New(name string, onError Mode) (*Charset, error) {
	enc, err := find(name)
	if err != nil {
		return nil, err
	}
	c := &Charset{name: "UTF-8", mode: onError}
	if enc != unicode.UTF8 {
		c.enc = enc
		if c.name, err = ianaindex.MIME.Name(enc); err != nil {
			return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
		}
	}
	switch {
	case onError > Ignore:
		return nil, fmt.Errorf("%w: there is no mode %d", ErrMode, onError)
	case onError == Keep && c.enc != nil:
		return nil, fmt.Errorf("%w: keep is for UTF-8 only, not for %s", ErrMode, c.name)
	case onError == Default && c.enc != nil:
		c.mode = Strict
	case onError == Default:
		c.mode = Keep
	}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	return c, nil
}

// find looks a name up as it is, then under the name that IANA has for it.
func find(name string) (encoding.Encoding, error) {
	short := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
	if short == "" || short == "utf8" {
		return unicode.UTF8, nil
	}
	for _, prefix := range []string{"utf16", "utf32", "utf7", "ucs", "iso10646", "unicode", "iso2022", "csiso2022", "hzgb"} {
		if strings.HasPrefix(short, prefix) {
			return nil, fmt.Errorf("%w: %q", ErrUnusable, name)
		}
	}
	for _, n := range []string{name, short, proper(short)} {
		if enc, err := ianaindex.IANA.Encoding(n); err == nil && enc != nil {
			return enc, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
}

// proper returns IANA's name for what people write instead, given without
// punctuation.
func proper(short string) string {
	for people, iana := range map[string]string{"iso8859": "ISO-8859-", "cp125": "windows-125", "win125": "windows-125",
		"windows": "windows-", "koi8": "KOI8-", "euc": "EUC-"} {
		if rest, ok := strings.CutPrefix(short, people); ok {
			return iana + rest
		}
	}
	switch short {
	case "sjis", "shiftjis":
		return "Shift_JIS"
	case "gb2312": // a part of it
		return "GBK"
	case "latin9":
		return "ISO-8859-15"
	case "ascii":
		return "US-ASCII"
	}
	return short
}

// prepare checks that ASCII is ASCII and fills the tables of an encoding of single
// bytes.
func (c *Charset) prepare() error {
	c.spare = []byte("?")
	if c.enc == nil {
		c.spare = []byte(string(utf8.RuneError))
		return nil
	}
	t := c.coder()
	for b := range byte(utf8.RuneSelf) {
		if r, n := t.read([]byte{b}); n != 1 || r != rune(b) || string(t.write(r)) != string(rune(b)) {
			return fmt.Errorf("%w: %s", ErrUnusable, c.name)
		}
	}
	if b := t.write(utf8.RuneError); b != nil {
		c.spare = bytes.Clone(b)
	}
	high, back := new([0x80]rune), map[rune]byte{}
	for i := range high {
		b := byte(i + 0x80)
		if t.partial(b) { // more bytes belong to it
			return nil
		}
		r, _ := t.read([]byte{b})
		high[i] = r
		if w := t.write(r); r != utf8.RuneError && len(w) == 1 {
			back[r] = w[0]
		}
	}
	c.high, c.bytes = high, back
	return nil
}

// Name returns the encoding's name as MIME has it, such as "UTF-8".
func (c *Charset) Name() string {
	if c == nil {
		return "UTF-8"
	}
	return c.name
}

// Mode returns the mode, which is never Default.
func (c *Charset) Mode() Mode {
	if c == nil {
		return Keep
	}
	return c.mode
}

// UTF8 reports whether the encoding is UTF-8, so that FEAT may say so (RFC 2640
// §3.2).
func (c *Charset) UTF8() bool { return c == nil || c.enc == nil }

// Identity reports whether Decode and Encode change nothing, so that they need not
// be called.
func (c *Charset) Identity() bool { return c == nil || c.enc == nil && c.mode == Keep }

// Decode appends src, a command line without its end, in UTF-8 to dst. The error
// is ErrUndecodable, of mode Strict only, with dst as it was. Bytes that mean
// nothing are taken one by one, so that none of them takes an ASCII byte with it.
func (c *Charset) Decode(dst, src []byte) ([]byte, error) {
	if c.Identity() {
		return append(dst, src...), nil
	}
	start := len(dst)
	var t *coder
	for {
		n := ascii(src)
		dst = append(dst, src[:n]...)
		if src = src[n:]; len(src) == 0 {
			return dst, nil
		}
		r, n := c.next(&t, src)
		switch {
		case n > 0:
			dst = utf8.AppendRune(dst, r)
		case c.mode == Strict:
			return dst[:start], ErrUndecodable
		case c.mode == Replace:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
		src = src[max(n, 1):]
	}
}

// next returns the first character of src and how many bytes it takes, 0 if they
// mean nothing.
func (c *Charset) next(t **coder, src []byte) (rune, int) {
	switch {
	case c.enc == nil:
		r, n := utf8.DecodeRune(src)
		if r == utf8.RuneError && n == 1 {
			n = 0
		}
		return r, n
	case c.high != nil:
		r := c.high[src[0]-0x80]
		if r == utf8.RuneError {
			return r, 0
		}
		return r, 1
	case *t == nil:
		*t = c.coder()
	}
	return (*t).read(src)
}

// Encode appends src, a text in UTF-8 such as a reply or the line of a listing, in
// the client's encoding to dst. What cannot be written becomes "?" (U+FFFD where
// the encoding has it) and the name cannot be asked for by the client; with Ignore
// it is left out. No mode leaves a whole name out: a listing that hides files is
// worse than one that cannot spell them.
func (c *Charset) Encode(dst, src []byte) []byte {
	if c.Identity() || c.UTF8() && utf8.Valid(src) {
		return append(dst, src...)
	}
	var t *coder
	for {
		n := ascii(src)
		dst = append(dst, src[:n]...)
		if src = src[n:]; len(src) == 0 {
			return dst
		}
		r, n := utf8.DecodeRune(src)
		if ok := r != utf8.RuneError || n > 1; ok && c.enc == nil {
			dst = append(dst, src[:n]...)
		} else if out, written := c.put(&t, dst, r); ok && written {
			dst = out
		} else if c.mode != Ignore {
			dst = append(dst, c.spare...)
		}
		src = src[n:]
	}
}

// put appends one character, if it can be written.
func (c *Charset) put(t **coder, dst []byte, r rune) ([]byte, bool) {
	switch {
	case c.enc == nil:
		return dst, false
	case c.high != nil:
		b, ok := c.bytes[r]
		if !ok {
			return dst, false
		}
		return append(dst, b), true
	case *t == nil:
		*t = c.coder()
	}
	b := (*t).write(r)
	return append(dst, b...), b != nil
}

// ascii returns how many bytes of b come before the first that is not ASCII.
func ascii(b []byte) int {
	for i, c := range b {
		if c >= utf8.RuneSelf {
			return i
		}
	}
	return len(b)
}
