package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// script is one file: a header, and dialogues that each begin with a server, a
// filesystem and a connection of their own.
type script struct {
	name      string // of the file, without its ending
	header    string // the comment at its top
	dialogues []dialogue
}

// dialogue is one sequence of steps.
type dialogue struct {
	title string
	steps []step
}

// step is one line of a script, or the lines of one expected reply.
type step struct {
	line int
	word string // "C:", "S:", "data", ...
	rest string // what follows the word
	more []string
}

func readScript(path string) (script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return script{}, err
	}
	s := script{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
	var all []step // before the first dialogue: part of each
	inHeader := true
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimRight(line, " \t\r")
		switch {
		case line == "":
			inHeader = false
			continue
		case strings.HasPrefix(line, "#"):
			if inHeader {
				s.header += line + "\n"
			}
			continue
		}
		inHeader = false
		if title, ok := strings.CutPrefix(line, "== "); ok {
			s.dialogues = append(s.dialogues, dialogue{title: title, steps: append([]step(nil), all...)})
			continue
		}
		into := &all
		if n := len(s.dialogues); n > 0 {
			into = &s.dialogues[n-1].steps
		}
		if err := appendLine(into, i+1, line); err != nil {
			return s, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	if len(s.dialogues) == 0 {
		return s, fmt.Errorf("%s holds no dialogue: one begins with a line \"== title\"", path)
	}
	return s, nil
}

// appendLine makes a step of a line, or a part of an expected reply of several
// lines that is open.
func appendLine(steps *[]step, n int, line string) error {
	word, rest, _ := strings.Cut(line, " ")
	if last := len(*steps) - 1; word == "S:" && last >= 0 && (*steps)[last].open() {
		(*steps)[last].more = append((*steps)[last].more, rest)
		return nil
	}
	st := step{line: n, word: word, rest: rest}
	if word == "S:" && !codes.MatchString(rest) {
		return fmt.Errorf("%q is not an expected reply: it begins with codes", rest)
	}
	*steps = append(*steps, st)
	return nil
}

// codes is the beginning of an expected reply: 230, 125|150, or 211- for a reply
// of several lines.
var codes = regexp.MustCompile(`^(\d{3}(?:\|\d{3})*)(?:([ -])(.*))?$`)

// open reports whether the expected reply has several lines and its last one has
// not been seen.
func (s step) open() bool {
	if s.word != "S:" {
		return false
	}
	first := codes.FindStringSubmatch(s.rest)
	if first == nil || first[2] != "-" {
		return false
	}
	if len(s.more) == 0 {
		return true
	}
	return !closing(first[1], s.more[len(s.more)-1])
}

// closing reports whether a line ends an expected reply of several lines.
func closing(code, line string) bool {
	m := codes.FindStringSubmatch(line)
	return m != nil && m[1] == code && m[2] != "-"
}

// words splits arguments: words and quoted strings, in which escapes are read.
func words(s string) ([]string, error) {
	var out []string
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		if s[0] != '"' {
			word, rest, _ := strings.Cut(s, " ")
			out, s = append(out, word), rest
			continue
		}
		end := closingQuote(s)
		if end < 0 {
			return nil, fmt.Errorf("a quote is not closed in %s", s)
		}
		text, err := unescape(s[1:end])
		if err != nil {
			return nil, err
		}
		out, s = append(out, text), s[end+1:]
	}
	return out, nil
}

func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// unescape reads \r, \n, \t, \0, \\, \" and \xHH.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", fmt.Errorf("a backslash ends %q", s)
		}
		switch s[i] {
		case 'r':
			b.WriteByte('\r')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '0':
			b.WriteByte(0)
		case '\\', '"':
			b.WriteByte(s[i])
		case 'x':
			if i+2 >= len(s) {
				return "", fmt.Errorf("\\x needs two digits in %q", s)
			}
			var c byte
			if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &c); err != nil {
				return "", fmt.Errorf("\\x needs two hexadecimal digits in %q", s)
			}
			b.WriteByte(c)
			i += 2
		default:
			return "", fmt.Errorf("\\%c is not an escape", s[i])
		}
	}
	return b.String(), nil
}
