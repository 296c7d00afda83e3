package bridge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// maxReplyLine is how long a line of the server may be: a path of 4,096 bytes with each of
// them doubled, and words around it.
const maxReplyLine = 16 << 10

// part is one line of a reply (RFC 959 §4.2), with its end. Replies are not kept whole: a
// STAT may list a directory.
type part struct {
	text        []byte
	code        int
	first, last bool
}

// final reports whether the reply is the last one to its command.
func (p *part) final() bool { return p.code >= 200 }

// good reports whether the command was carried out.
func (p *part) good() bool { return p.code < 400 }

// close makes the line the whole reply, where the rest of it will not come.
func (p *part) close() {
	if !p.last {
		p.text[3], p.last = ' ', true
	}
}

// replies reads the replies of a control session.
type replies struct {
	in   *bufio.Reader
	open string // the code of the reply of several lines that has begun
}

func newReplies(r io.Reader) *replies { return &replies{in: bufio.NewReaderSize(r, 4<<10)} }

// badReply is the error of a server that breaks the protocol.
type badReply string

// Error says what it sends.
func (b badReply) Error() string { return string(b) }

// next reads one line.
func (r *replies) next() (part, error) {
	text, err := r.line()
	if err != nil {
		return part{}, err
	}
	p := part{text: text, first: r.open == ""}
	begins := len(text) >= 4 && digits(text[:3])
	switch {
	case r.open != "":
		p.last = begins && string(text[:3]) == r.open && (text[3] == ' ' || text[3] == '\r' || text[3] == '\n')
		p.code = number(r.open)
		if p.last {
			r.open = ""
		}
		return p, nil
	case begins && text[3] == '-':
		r.open = string(text[:3])
	case begins && (text[3] == ' ' || text[3] == '\r' || text[3] == '\n'):
		p.last = true
	default:
		return part{}, badReply(fmt.Sprintf("the server sends what is no reply: %.60q", text))
	}
	p.code = number(string(text[:3]))
	return p, nil
}

// line reads up to the end of a line.
func (r *replies) line() ([]byte, error) {
	var line []byte
	for {
		piece, err := r.in.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case len(line) > maxReplyLine:
			return nil, badReply(fmt.Sprintf("a line of the server has more than %d bytes", maxReplyLine))
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// whole reads a final reply, and returns its lines.
func (r *replies) whole() (code int, lines [][]byte, err error) {
	for {
		if code, lines, err = r.one(); err != nil || code >= 200 {
			return code, lines, err
		}
	}
}

// one reads a reply, be it the last one to its command or not.
func (r *replies) one() (code int, lines [][]byte, err error) {
	for {
		p, err := r.next()
		if err != nil {
			return 0, nil, err
		}
		if len(lines) < maxKept {
			lines = append(lines, p.text)
		}
		if p.last {
			return p.code, lines, nil
		}
	}
}

// maxKept is how many lines are kept of a reply that is looked at as a whole.
const maxKept = 64

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func number(code string) int {
	return int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
}
