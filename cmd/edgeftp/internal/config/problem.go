package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Problem is one fault of a configuration.
type Problem struct {
	Path string // the key, like listeners[0].tls.control, or the flag
	Text string // what is wrong
	Help string // what to do about it, or empty
	// Line and Column are where it is in the file, from 1; 0 without a file.
	Line, Column int

	file    string // where it is in another one than that of the Error
	excerpt string // the line
	width   int    // how much of it is underlined
	empty   bool   // it is that a key has no value
}

// Error holds every problem of one configuration, in the order of the file.
type Error struct {
	File     string // empty when the configuration came from flags
	Problems []Problem
}

// Usage reports whether the faults are in flags rather than in a file.
func (e *Error) Usage() bool { return e.File == "" }

// Error renders all problems for a terminal: what, where, an excerpt with a
// caret, and help.
func (e *Error) Error() string {
	var b strings.Builder
	for _, p := range e.Problems {
		p.render(&b, e.File)
	}
	if e.File != "" {
		n := "1 error"
		if len(e.Problems) != 1 {
			n = strconv.Itoa(len(e.Problems)) + " errors"
		}
		fmt.Fprintf(&b, "%s: %s; nothing was applied", e.File, n)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (p *Problem) render(b *strings.Builder, file string) {
	if p.file != "" {
		file = p.file
	}
	where := p.Path
	if where != "" {
		where += ": "
	}
	fmt.Fprintf(b, "error: %s%s\n", printable(where), printable(p.Text))
	if p.Line > 0 {
		fmt.Fprintf(b, "  --> %s:%d:%d\n", file, p.Line, p.Column)
		number := strconv.Itoa(p.Line)
		gutter := strings.Repeat(" ", len(number)+2) + "|"
		text, column := window(p.excerpt, p.Column)
		fmt.Fprintf(b, "%s\n %s | %s\n", gutter, number, text)
		room := max(1, len([]rune(text))-column+1)
		fmt.Fprintf(b, "%s %s%s\n", gutter, strings.Repeat(" ", column-1), strings.Repeat("^", min(max(1, p.width), room)))
	}
	if p.Help != "" {
		fmt.Fprintf(b, "   = help: %s\n", printable(p.Help))
	}
	if file != "" {
		b.WriteByte('\n')
	}
}

// window cuts a long line to what fits a terminal around column, and returns the
// column in what is left.
func window(line string, column int) (string, int) {
	const most, before = 120, 40
	runes := []rune(printable(line))
	column = min(max(1, column), len(runes)+1)
	if len(runes) <= most {
		return string(runes), column
	}
	start := min(max(0, column-1-before), len(runes)-most)
	return string(runes[start : start+most]), column - start
}

// printable replaces what could move the cursor or hide text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == '\n', unicode.IsPrint(r):
			return r
		}
		return '\uFFFD'
	}, s)
}

// spot is where a value is for the reader of a message.
type spot struct {
	name         string
	line, column int
	width        int
	excerpt      string
}

// report gathers problems. A second one about the same place is left out.
type report struct {
	locate   func(path []string, key bool) spot
	problems []Problem
	faulty   map[string]bool // paths that have a problem
}

func newReport(locate func(path []string, key bool) spot) *report {
	return &report{locate: locate, faulty: map[string]bool{}}
}

// at adds a problem with the value at path.
func (r *report) at(path []string, text, help string) { r.add(path, r.locate(path, false), text, help) }

// key adds a problem with the key at path.
func (r *report) key(path []string, text, help string) { r.add(path, r.locate(path, true), text, help) }

func (r *report) add(path []string, s spot, text, help string) {
	if r.isFaulty(path) {
		return
	}
	r.faulty[join(path)] = true
	r.problems = append(r.problems, Problem{Path: s.name, Text: text, Help: help,
		Line: s.line, Column: s.column, excerpt: s.excerpt, width: s.width})
}

// noValue adds that the key at path has no value.
func (r *report) noValue(path []string, text, help string) {
	if n := len(r.problems); !r.isFaulty(path) {
		r.key(path, text, help)
		r.problems[n].empty = true
	}
}

// isFaulty reports whether path, or what it is in, has a problem already.
func (r *report) isFaulty(path []string) bool {
	for i := range len(path) + 1 {
		if r.faulty[join(path[:i])] {
			return true
		}
	}
	return false
}

// err returns the problems as an error, nil if there are none.
func (r *report) err(file string) error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		if a.file != b.file {
			return strings.Compare(a.file, b.file)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return &Error{File: file, Problems: r.problems}
}

// join makes a map key of a path.
func join(path []string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteByte(0)
		b.WriteString(p)
	}
	return b.String()
}

// dotted writes a path as people do: listeners[0].tls.
func dotted(path []string) string {
	var b strings.Builder
	for i, p := range path {
		if _, err := strconv.ParseUint(p, 10, 31); err == nil && i > 0 {
			fmt.Fprintf(&b, "[%s]", p)
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(p)
	}
	return b.String()
}

// sub is path with more steps, in memory of its own.
func sub(path []string, more ...string) []string { return append(slices.Clip(path), more...) }
