package wire

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reply is one reply of the server (RFC 959 §4.2). It is also an error, so that
// whoever finds out that a command cannot be carried out can say so in the
// client's terms. The zero value is no reply.
type Reply struct {
	Code Code
	// Lines are the texts, the last of which stands on the closing line. One
	// line makes a plain reply; of more, each inner line is written behind one
	// space (RFC 959 §4.2, RFC 3659 §7.2).
	Lines []string
}

// Say returns a reply of one line, formatted as by fmt.Sprintf when there are
// arguments.
func Say(code Code, format string, args ...any) Reply {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return Reply{Code: code, Lines: []string{format}}
}

// Multi returns a reply of several lines.
func Multi(code Code, lines ...string) Reply { return Reply{Code: code, Lines: lines} }

// Error returns the reply's code and last line.
func (r Reply) Error() string {
	return strconv.Itoa(int(r.Code)) + " " + r.last()
}

// IsZero reports whether r is no reply at all.
func (r Reply) IsZero() bool { return r.Code == 0 }

// Positive reports whether the code is below 400.
func (r Reply) Positive() bool { return r.Code < 400 }

func (r Reply) last() string {
	if len(r.Lines) == 0 {
		return ""
	}
	return r.Lines[len(r.Lines)-1]
}

// Append appends the reply's bytes to dst. Control characters in the texts, C1
// controls included, become question marks, so that no file name and no policy
// can forge a line or steer a terminal.
func (r Reply) Append(dst []byte) []byte {
	for i, line := range r.Lines[:max(len(r.Lines)-1, 0)] {
		if i == 0 {
			dst = strconv.AppendInt(dst, int64(r.Code), 10)
			dst = append(dst, '-')
		} else if !strings.HasPrefix(line, " ") {
			dst = append(dst, ' ')
		}
		dst = append(appendClean(dst, line), '\r', '\n')
	}
	dst = strconv.AppendInt(dst, int64(r.Code), 10)
	dst = append(dst, ' ')
	return append(appendClean(dst, r.last()), '\r', '\n')
}

func appendClean(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == '\t', c == utf8.RuneError && n == 1:
			dst = append(dst, s[i])
		case c < 0x20 || c >= 0x7f && c < 0xa0:
			dst = append(dst, '?')
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return dst
}

// Quote returns a path as a 257 reply carries it: in double quotes, embedded
// quotes doubled (RFC 959 Appendix II).
func Quote(path string) string {
	return `"` + strings.ReplaceAll(path, `"`, `""`) + `"`
}
