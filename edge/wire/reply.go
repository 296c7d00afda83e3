package wire

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reply is one reply of the server (RFC 959 §4.2). It is also an error, so that
// whoever finds out that a command cannot be carried out can say so in the
// client's terms. The zero value is no reply.
type Reply struct {
	Code Code // three digits; 0 is no reply
	// Lines are the texts, the last of which stands on the closing line. One
	// line makes a plain reply; of more, each inner line is written behind one
	// space (RFC 959 §4.2, RFC 3659 §7.2).
	Lines []string
	// Cause is why, for whoever carries commands out in this process (pi.Session.Perform).
	// It is never sent. Nil where there is nothing beyond the code.
	Cause error

	said *said // what formatted lines were made of, the last of them first
}

// said is what a formatted line was made of. The line and up to three arguments
// lie in it, so that remembering them costs no allocation of its own.
type said struct {
	format string
	args   []any
	at     int    // which of the lines
	made   string // what it was when it was made
	before *said
	line   [1]string
	room   [3]any
}

// Text is an argument of Say and And that is itself said in the client's
// language, as a word or a sentence of the server's own: never a name or anything
// else that somebody else has chosen.
type Text string

// Say returns a reply of one line, formatted as by fmt.Sprintf. It remembers the
// format and the arguments for In; they must not change until the reply is sent.
// A format of "%s" alone and one string is that string.
func Say(code Code, format string, args ...any) Reply {
	switch {
	case len(args) == 0 && strings.IndexByte(format, '%') < 0:
		return Reply{Code: code, Lines: []string{format}}
	case len(args) == 1 && format == "%s":
		switch text := args[0].(type) {
		case string:
			return Reply{Code: code, Lines: []string{text}}
		case Text:
			return Reply{Code: code, Lines: []string{string(text)}}
		}
	}
	s := remember(format, fmt.Sprintf(format, args...), args)
	s.line[0] = s.made
	return Reply{Code: code, Lines: s.line[:], said: s}
}

func remember(format, made string, args []any) *said {
	s := &said{format: format, made: made}
	if len(args) > len(s.room) {
		s.args = slices.Clone(args)
		return s
	}
	s.args = s.room[:copy(s.room[:], args)]
	return s
}

// Multi returns a reply of several lines.
func Multi(code Code, lines ...string) Reply { return Reply{Code: code, Lines: lines} }

// And returns the reply with one more line, which becomes the closing one. It is
// formatted and remembered as by Say.
func (r Reply) And(format string, args ...any) Reply {
	more := Say(r.Code, format, args...)
	if s := more.said; s != nil {
		s.at, s.before = len(r.Lines), r.said
		r.said = s
	}
	r.Lines = append(slices.Clip(r.Lines), more.Lines[0])
	return r
}

// In returns the reply in another language: translate returns what stands for a
// format of Say and And or for a whole line, or its argument when it knows no
// better. The code and the number of lines stay. A format's translation has to
// take the same arguments, in any order (by explicit indexes).
func (r Reply) In(translate func(english string) string) Reply {
	lines := make([]string, len(r.Lines))
	copy(lines, r.Lines)
	next := r.said
	for i := len(lines) - 1; i >= 0; i-- {
		s := next
		for s != nil && s.at > i { // of a line that somebody has taken away
			s = s.before
		}
		if next = s; s == nil || s.at < i || s.made != lines[i] {
			lines[i] = translate(lines[i])
			continue
		}
		lines[i] = s.in(translate)
	}
	return Reply{Code: r.Code, Lines: lines, Cause: r.Cause}
}

func (s *said) in(translate func(string) string) string {
	args := s.args
	for i, a := range s.args {
		text, ok := a.(Text)
		if !ok {
			continue
		}
		if &args[0] == &s.args[0] {
			args = slices.Clone(s.args)
		}
		args[i] = translate(string(text))
	}
	return fmt.Sprintf(translate(s.format), args...)
}

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
// controls and those that change the direction of writing included, become question
// marks, so that no file name and no policy can forge a line, steer a terminal or
// make a text look like another. A byte 0xFF, which UTF-8 does not have
// but a file name may, is doubled, because it begins Telnet's commands (RFC 854).
func (r Reply) Append(dst []byte) []byte { return r.AppendEncoded(dst, nil) }

// AppendEncoded is Append with the texts in another encoding than UTF-8: encode
// appends the encoded form of src to dst. ASCII must mean the same in it. Its
// 0xFF (in Latin-1, a small y with diaeresis) is doubled too. A nil encode leaves
// the texts as they are.
func (r Reply) AppendEncoded(dst []byte, encode func(dst, src []byte) []byte) []byte {
	for i, line := range r.Lines[:max(len(r.Lines)-1, 0)] {
		if i == 0 {
			dst = strconv.AppendInt(dst, int64(r.Code), 10)
			dst = append(dst, '-')
		} else if !strings.HasPrefix(line, " ") {
			dst = append(dst, ' ')
		}
		dst = append(appendLine(dst, line, encode), '\r', '\n')
	}
	dst = strconv.AppendInt(dst, int64(r.Code), 10)
	dst = append(dst, ' ')
	return append(appendLine(dst, r.last(), encode), '\r', '\n')
}

func appendLine(dst []byte, line string, encode func(dst, src []byte) []byte) []byte {
	start := len(dst)
	dst = appendClean(dst, line)
	if encode != nil {
		encoded := encode(nil, dst[start:])
		dst = append(dst[:start], encoded...)
		for i, c := range dst[start:] { // whatever the encoding does, a line stays a line
			if c < 0x20 && c != '\t' || c == 0x7f {
				dst[start+i] = '?'
			}
		}
	}
	if bytes.IndexByte(dst[start:], telnetIAC) >= 0 {
		dst = append(dst[:start], bytes.ReplaceAll(dst[start:], []byte{telnetIAC}, []byte{telnetIAC, telnetIAC})...)
	}
	return dst
}

func appendClean(dst []byte, s string) []byte {
	plain := 0 // bytes that are what they are, which is nearly always all
	for plain < len(s) && ' ' <= s[plain] && s[plain] <= '~' {
		plain++
	}
	dst = append(dst, s[:plain]...)
	for i := plain; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == '\t', c == utf8.RuneError && n == 1:
			dst = append(dst, s[i])
		case c < 0x20, c >= 0x7f && c < 0xa0, c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069:
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
