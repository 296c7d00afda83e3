// Package screen puts text of strangers on a terminal: names and paths that clients have
// chosen, of which nothing may move the cursor, hide, or turn what stands beside it
// around; and it reads keys from one.
package screen

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// mostMarks is how many marks may stand on one letter: more climb into other lines.
const mostMarks = 2

// Shown returns text in which every character takes the columns that Width says, and
// stays where it is: what is no printable character, by itself or where it stands, is
// written as \n, \x1b or \u202e, a backslash as two. Letters that are written from right
// to left are as others are.
func Shown(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	marks := mostMarks // none on nothing
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
			marks = mostMarks
		case r == '\\':
			b.WriteString(`\\`)
			marks = mostMarks
		case unicode.Is(unicode.M, r) && marks < mostMarks:
			b.WriteRune(r)
			marks++
		case unicode.Is(unicode.M, r) || !unicode.IsPrint(r) || blank(r):
			b.WriteString(escaped(r))
			marks = mostMarks
		default:
			b.WriteRune(r)
			marks = 0
		}
		text = text[n:]
	}
	return b.String()
}

// plain reports whether text is of ASCII's printable characters alone, and no backslash.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// blank reports whether a character is a letter by its kind, and nothing to be seen.
func blank(r rune) bool {
	return r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0' || r == '\u2800'
}

func escaped(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// Width returns how many columns text takes that Shown has returned.
func Width(text string) int {
	n := 0
	for _, r := range text {
		n += columns(r)
	}
	return n
}

func columns(r rune) int {
	switch {
	case r < 0x80:
		return 1
	case unicode.Is(unicode.M, r):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// dots stand for what was cut off.
const dots = "…"

// Cut returns what fits into so many columns of text that Shown has returned. If that is
// not all, the last column tells.
func Cut(text string, most int) string {
	if Width(text) <= most {
		return text
	}
	if most < 1 {
		return ""
	}
	n := 0
	for i, r := range text {
		if n += columns(r); n > most-1 {
			return text[:i] + dots
		}
	}
	return text
}

// CutLeft is Cut that keeps the end, as of a path, and tells in the first column.
func CutLeft(text string, most int) string {
	have := Width(text)
	if have <= most {
		return text
	}
	if most < 1 {
		return ""
	}
	for i, r := range text {
		if have <= most-1 && columns(r) > 0 { // no mark without its letter
			return dots + text[i:]
		}
		have -= columns(r)
	}
	return dots
}

// Fill returns Cut filled with spaces up to so many columns.
func Fill(text string, to int) string {
	text = Cut(text, to)
	return text + strings.Repeat(" ", max(0, to-Width(text)))
}
