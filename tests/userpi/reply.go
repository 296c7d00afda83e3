package userpi

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
)

// Reply is one reply of the server (RFC 959 §4.2).
type Reply struct {
	Code int
	// Lines are the lines without their ends. The first and the last one are
	// without code and separator; the lines between are as they came.
	Lines []string
}

// Text returns the last line, which is the only one of most replies.
func (r Reply) Text() string {
	if len(r.Lines) == 0 {
		return ""
	}
	return r.Lines[len(r.Lines)-1]
}

// Is reports whether the reply has one of the codes.
func (r Reply) Is(codes ...int) bool { return slices.Contains(codes, r.Code) }

// String returns the reply much as it came.
func (r Reply) String() string {
	if len(r.Lines) < 2 {
		return fmt.Sprintf("%d %s", r.Code, r.Text())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d-%s\n", r.Code, r.Lines[0])
	for _, l := range r.Lines[1 : len(r.Lines)-1] {
		b.WriteString(l + "\n")
	}
	fmt.Fprintf(&b, "%d %s", r.Code, r.Text())
	return b.String()
}

// Unexpected is the error of the helpers for a reply that they did not ask for.
type Unexpected struct {
	Command string
	Reply   Reply
}

// Error says what was asked for and what the server answered.
func (u *Unexpected) Error() string {
	return fmt.Sprintf("%s was answered %q", u.Command, u.Reply.String())
}

// readReply reads one reply and is strict about its form: every line ends with
// CR LF, a code is three digits, and an inner line begins with a space so that
// none can be taken for the last one. A lenient one asks only for codes.
func readReply(r *bufio.Reader, lenient bool) (Reply, error) {
	line, err := readLine(r, lenient)
	if err != nil {
		return Reply{}, err
	}
	code, sep, text, err := parseFirst(line)
	if err != nil {
		return Reply{}, err
	}
	reply := Reply{Code: code, Lines: []string{text}}
	for sep == '-' {
		if line, err = readLine(r, lenient); err != nil {
			return reply, fmt.Errorf("inside a reply of several lines: %w", err)
		}
		if last, ok := strings.CutPrefix(line, fmt.Sprintf("%03d ", code)); ok {
			reply.Lines = append(reply.Lines, last)
			break
		}
		if !lenient && !strings.HasPrefix(line, " ") {
			return reply, fmt.Errorf("the inner line %q of a reply does not begin with a space", line)
		}
		reply.Lines = append(reply.Lines, line)
	}
	return reply, nil
}

func parseFirst(line string) (code int, sep byte, text string, err error) {
	if len(line) < 4 || line[3] != ' ' && line[3] != '-' {
		return 0, 0, "", fmt.Errorf("%q is not a reply", line)
	}
	for _, c := range []byte(line[:3]) {
		if c < '0' || c > '9' {
			return 0, 0, "", fmt.Errorf("%q does not begin with a reply code", line)
		}
		code = 10*code + int(c-'0')
	}
	if code < 100 || code > 699 {
		return 0, 0, "", fmt.Errorf("%d is not a reply code", code)
	}
	return code, line[3], line[4:], nil
}

func readLine(r *bufio.Reader, lenient bool) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		if line != "" {
			return "", fmt.Errorf("the connection ended in the middle of the line %q: %w", line, err)
		}
		return "", err
	}
	if lenient {
		return strings.TrimRight(line, "\r\n"), nil
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", fmt.Errorf("the line %q does not end with CR LF", line)
	}
	if strings.ContainsAny(text, "\r\x00") {
		return "", fmt.Errorf("the line %q holds a CR or a NUL", line)
	}
	return text, nil
}
