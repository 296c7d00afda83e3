package delivery

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shown is a name as people see it: in valid UTF-8, and with its control characters, those
// that change the direction of writing among them, written out. It may be the same for two
// names.
func shown(name string) string {
	if strings.IndexFunc(name, hides) < 0 && utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			fmt.Fprintf(&b, "\\x%02X", name[i])
		case hides(r):
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// hides reports whether a character is none that one sees: a control, one of format, such
// as those that turn the direction of writing, or a separator of lines.
func hides(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != '\u200d' && r != '\u200c'
}

// escaped is a canonical path as a URL has it.
func escaped(p string) string {
	parts := strings.Split(p, "/")
	for i, s := range parts {
		parts[i] = url.PathEscape(s)
	}
	return strings.Join(parts, "/")
}
