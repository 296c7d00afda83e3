// Package refusal holds the error that says why a policy module was not taken.
// The packages that judge modules share it: those of wasmhost, and who steers
// them.
package refusal

import (
	"fmt"
	"strings"
)

// Code names one reason for which a module is refused at load, such as
// "EF2101". Codes keep their meaning for ever; docs and searches rely on it.
type Code string

// Error says why a module was refused, in words for the person who built or
// configured it. After it nothing has changed.
type Error struct {
	Code    Code
	Summary string // one line
	Found   string // what the module has; may be empty
	Needs   string // what the server wants; may be empty
	Help    string // what to do about it; may be empty
	Err     error  // the cause, if it was another error
}

// Error returns the code and summary, and below them a line each for what was
// found, what is needed and what helps, where there is something to say.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Code, e.Summary)
	for _, l := range [...]struct{ word, text string }{
		{"found:", e.Found}, {"needs:", e.Needs}, {"help:", e.Help},
	} {
		if l.text != "" {
			fmt.Fprintf(&b, "\n   = %-7s %s", l.word, l.text)
		}
	}
	return b.String()
}

// Unwrap returns the cause, nil if there is none.
func (e *Error) Unwrap() error { return e.Err }
