// Package escape makes texts of others fit for a terminal: no byte of them moves the
// cursor, sets a title, answers in the user's name, or hides or turns what stands beside it.
package escape

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text returns s fit for a terminal, a log or a table: in place of what is not printed, or
// turns the direction of text, stands its escape as Go writes it.
func Text(s string) string { return text(s, "") }

// Lines is Text, but for the ends of lines and tabs, which stay.
func Lines(s string) string { return text(s, "\n\t") }

func text(s, keep string) string {
	strange := func(r rune) bool { return unprintable(r) && !strings.ContainsRune(keep, r) }
	if !strings.ContainsFunc(s, strange) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strange(r):
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }

// AppendJSON appends JSON to dst. What is not printable is written as escapes of JSON, which
// mean the same: package json leaves DEL, the controls above ASCII, and all that turns or
// hides text as they are. None of them occurs outside of a string. Ends of lines stay.
func AppendJSON(dst, in []byte) []byte {
	for len(in) > 0 {
		r, n := utf8.DecodeRune(in)
		switch {
		case r == '\n' || !unprintable(r):
			dst = append(dst, in[:n]...)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		in = in[n:]
	}
	return dst
}

// JSON returns a writer of JSON to w that is fit for a terminal, as AppendJSON is. Each Write
// has whole characters.
func JSON(w io.Writer) io.Writer { return writer{w} }

type writer struct{ to io.Writer }

// Write implements io.Writer.
func (w writer) Write(in []byte) (int, error) {
	if plain(in) {
		return w.to.Write(in)
	}
	if _, err := w.to.Write(AppendJSON(make([]byte, 0, len(in)+64), in)); err != nil {
		return 0, err
	}
	return len(in), nil
}

// plain reports whether all is printable ASCII, or the end of a line.
func plain(in []byte) bool {
	return !bytes.ContainsFunc(in, func(r rune) bool { return (r < ' ' || r > '~') && r != '\n' })
}
