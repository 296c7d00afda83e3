package ftpclient

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// Bounds of what a server may say in one reply (RFC 959 §4.2). FEAT has some 30 lines,
// and a STAT of a directory, which is never asked for, is the longest that there is.
const (
	maxLine       = 8 << 10
	maxReplyLines = 1000
)

// Reply is one reply of the server (RFC 959 §4.2).
type Reply struct {
	// Code is three digits, 100 to 699.
	Code int
	// Lines are the lines without their ends; the first and the last one are without
	// code and separator. They are as the server sent them: Printable makes them fit for
	// people.
	Lines []string
}

// Text returns the last line, which is the only one of most replies.
func (r Reply) Text() string {
	if len(r.Lines) == 0 {
		return ""
	}
	return r.Lines[len(r.Lines)-1]
}

// String returns code and last line, printable.
func (r Reply) String() string { return fmt.Sprintf("%d %s", r.Code, escape.Text(r.Text())) }

func (r Reply) is(codes ...int) bool { return slices.Contains(codes, r.Code) }

// A ReplyError is a reply that is not the one that was hoped for.
type ReplyError struct {
	// Command is what was answered, without a password.
	Command string
	// Reply is the answer.
	Reply Reply
}

// Error says what was answered by what.
func (e *ReplyError) Error() string {
	return fmt.Sprintf("the server answered %s with %q", escape.Text(e.Command), e.Reply.String())
}

// A Refusal is what this client does not take from a server: what breaks the protocol,
// or is against the user. It is not tried again.
type Refusal struct {
	// What is the reason, in one line.
	What string
	// Help is what the user can do; may be empty.
	Help string
}

// Error is the reason, and what helps.
func (e *Refusal) Error() string {
	if e.Help == "" {
		return e.What
	}
	return e.What + "\n   = help: " + e.Help
}

func refuse(format string, args ...any) error { return &Refusal{What: fmt.Sprintf(format, args...)} }

// readReply reads one reply. Lines may end with LF alone, and inner lines may begin with
// anything but the code that ends the reply.
func readReply(r *bufio.Reader) (Reply, error) {
	line, err := readLine(r, maxLine)
	if err != nil {
		return Reply{}, err
	}
	code, more, err := replyCode(line)
	if err != nil {
		return Reply{}, err
	}
	reply := Reply{Code: code, Lines: []string{line[min(4, len(line)):]}}
	end := line[:3]
	for more {
		if len(reply.Lines) >= maxReplyLines {
			return Reply{}, refuse("a reply of the server has more than %d lines", maxReplyLines)
		}
		if line, err = readLine(r, maxLine); err != nil {
			return Reply{}, unexpected(err)
		}
		if line == end || strings.HasPrefix(line, end+" ") {
			more = false
			line = strings.TrimPrefix(line[3:], " ")
		}
		reply.Lines = append(reply.Lines, line)
	}
	return reply, nil
}

func replyCode(line string) (code int, more bool, err error) {
	if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, false, refuse("%q is no reply of an FTP server", clip(line))
	}
	for _, c := range []byte(line[:3]) {
		if c < '0' || c > '9' {
			return 0, false, refuse("%q is no reply of an FTP server", clip(line))
		}
		code = 10*code + int(c-'0')
	}
	if code < 100 || code > 699 {
		return 0, false, refuse("%q is no reply of an FTP server", clip(line))
	}
	return code, len(line) > 3 && line[3] == '-', nil
}

// clip is the beginning of what may be long.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

// readLine reads a line of so many bytes at most, and returns it without its end.
func readLine(r *bufio.Reader, most int) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > most {
			return "", refuse("a line of the server has more than %d bytes", most)
		}
		switch {
		case err == nil:
			text := strings.TrimSuffix(string(line[:len(line)-1]), "\r")
			if strings.ContainsRune(text, 0) {
				return "", refuse("a line of the server holds a NUL")
			}
			return text, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return "", io.ErrUnexpectedEOF
		default:
			return "", err
		}
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
