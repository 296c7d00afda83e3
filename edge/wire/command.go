package wire

import (
	"bytes"
	"strings"
)

// Command is one line of the client (RFC 959 §4.1, §5.3.1).
type Command struct {
	Verb string // upper case: a letter, then letters and digits, 16 at most; empty if malformed
	Arg  string // the bytes after one space, as they were sent; may hold anything but CR, LF, NUL
	// Line holds the whole line when Verb is empty, for the log.
	Line string
	// Bad is set when the argument holds a NUL or a CR, which no argument may. A
	// NUL is also what a Reader makes of a Telnet command in an argument.
	Bad bool
}

const maxVerb = 16

// ParseCommand splits a line, without its end, into verb and argument. It does
// not know which verbs there are.
func ParseCommand(line []byte) Command {
	line = bytes.TrimLeft(line, " ")
	verb, arg, _ := bytes.Cut(line, []byte(" "))
	if len(verb) == 0 || len(verb) > maxVerb || !word(verb) {
		return Command{Line: string(line), Bad: bytes.ContainsAny(line, "\x00\r")}
	}
	text := string(line) // once, for the verb and its argument
	return Command{
		Verb: strings.ToUpper(text[:len(verb)]),
		Arg:  text[len(line)-len(arg):],
		Bad:  bytes.IndexByte(arg, 0) >= 0 || bytes.IndexByte(arg, '\r') >= 0,
	}
}

// word reports whether b is a letter followed by letters and digits: RFC 959
// §5.3.1 knows letters alone, but there are verbs such as XSHA256.
func word(b []byte) bool {
	for i, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || '9' < c) {
			return false
		}
	}
	return true
}
