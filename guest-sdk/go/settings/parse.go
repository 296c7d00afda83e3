package settings

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// parser reads JSON (RFC 8259), as much of it as settings need. The first error
// sticks.
type parser struct {
	in    string
	at    int
	depth int // of objects
	err   error
}

// maxDepth bounds objects in objects.
const maxDepth = 8

func (p *parser) fail(what string) {
	if p.err == nil {
		p.err = errors.New("settings, byte " + strconv.Itoa(p.at+1) + ": " + what)
	}
}

// peek returns the next byte that is not a space, 0 at the end or after an error.
func (p *parser) peek() byte {
	for p.err == nil && p.at < len(p.in) {
		switch c := p.in[p.at]; c {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return c
		}
	}
	return 0
}

func (p *parser) want(c byte) {
	if p.peek() != c {
		p.fail("want " + strconv.QuoteRune(rune(c)))
		return
	}
	p.at++
}

// text reads the whole text.
func (p *parser) text() *Settings {
	s := p.object()
	if p.peek(); p.err == nil && p.at < len(p.in) {
		p.fail("text after the object")
	}
	return s
}

func (p *parser) object() *Settings {
	s := &Settings{values: map[string]any{}, asked: map[string]bool{}}
	into := s.values
	if p.depth++; p.depth > maxDepth {
		p.fail("too many objects in objects")
	}
	p.want('{')
	for more := p.peek() != '}'; more && p.err == nil; more = p.comma() {
		key := p.str()
		if _, twice := into[key]; twice {
			p.fail(strconv.Quote(key) + " is given twice")
		}
		p.want(':')
		into[key] = p.value()
	}
	p.want('}')
	p.depth--
	return s
}

// comma reports whether another element follows.
func (p *parser) comma() bool {
	if p.peek() != ',' {
		return false
	}
	p.at++
	return true
}

func (p *parser) value() any {
	switch c := p.peek(); {
	case c == '"':
		return p.str()
	case c == '[':
		return p.list()
	case c == '{':
		return p.object()
	case c == 't':
		p.word("true")
		return true
	case c == 'f':
		p.word("false")
		return false
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	p.fail("want a string, a whole number, true, false, a list or an object")
	return nil
}

func (p *parser) word(w string) {
	if len(p.in)-p.at < len(w) || p.in[p.at:p.at+len(w)] != w {
		p.fail("want " + w)
		return
	}
	p.at += len(w)
}

// list reads a list of strings or of objects. One that is empty is nil of both.
func (p *parser) list() any {
	p.want('[')
	if p.peek() == ']' {
		p.at++
		return empty{}
	}
	if p.peek() == '{' {
		list := []*Settings{}
		for more := true; more && p.err == nil; more = p.comma() {
			list = append(list, p.object())
		}
		p.want(']')
		return list
	}
	list := []string{}
	for more := true; more && p.err == nil; more = p.comma() {
		list = append(list, p.str())
	}
	p.want(']')
	return list
}

func (p *parser) number() int64 {
	start := p.at
	if p.in[p.at] == '-' {
		p.at++
	}
	digits := p.at
	for p.at < len(p.in) && p.in[p.at] >= '0' && p.in[p.at] <= '9' {
		p.at++
	}
	n, err := strconv.ParseInt(p.in[start:p.at], 10, 64)
	if err != nil || p.in[digits] == '0' && p.at > digits+1 {
		p.fail("not a whole number of 64 bits")
	}
	if p.at < len(p.in) && (p.in[p.at] == '.' || p.in[p.at]|0x20 == 'e') {
		p.fail("not a whole number")
	}
	return n
}

func (p *parser) str() string {
	p.want('"')
	var out []byte
	for p.err == nil {
		if p.at >= len(p.in) {
			p.fail("string without an end")
			break
		}
		c := p.in[p.at]
		p.at++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				p.fail("string is not UTF-8")
			}
			return string(out)
		case c == '\\':
			out = p.escape(out)
		case c < 0x20:
			p.fail("control character in a string")
		default:
			out = append(out, c)
		}
	}
	return ""
}

// escape reads what follows a backslash.
func (p *parser) escape(out []byte) []byte {
	if p.at >= len(p.in) {
		p.fail("string without an end")
		return out
	}
	c := p.in[p.at]
	p.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		return p.unicode(out)
	}
	p.fail("unknown escape " + strconv.QuoteRune(rune(c)))
	return out
}

func (p *parser) unicode(out []byte) []byte {
	r := p.hex4()
	if utf16.IsSurrogate(r) {
		if len(p.in)-p.at < 2 || p.in[p.at:p.at+2] != `\u` {
			p.fail("half of a surrogate pair")
			return out
		}
		p.at += 2
		if r = utf16.DecodeRune(r, p.hex4()); r == utf8.RuneError {
			p.fail("half of a surrogate pair")
		}
	}
	return utf8.AppendRune(out, r)
}

func (p *parser) hex4() rune {
	if len(p.in)-p.at < 4 {
		p.fail("want four hex digits")
		return 0
	}
	n, err := strconv.ParseUint(p.in[p.at:p.at+4], 16, 32)
	if err != nil {
		p.fail("want four hex digits")
	}
	p.at += 4
	return rune(n)
}
