package wasmhost

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/sys"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Cause says in which way a call failed.
type Cause uint8

// The causes. All but CauseFailed, CauseQuestion and CauseNoInstance cost the
// instance that was called.
const (
	CauseTrap       Cause = iota + 1 // the guest trapped, or left by itself
	CauseTimeout                     // the deadline passed while it ran
	CauseBadOutput                   // what it returned breaks the ABI
	CauseFailed                      // it said that it could not decide
	CauseNoInstance                  // no instance was free or could be made
	CauseQuestion                    // the question does not fit the ABI or the mailbox
)

// String returns the cause in words.
func (c Cause) String() string {
	names := [...]string{"", "trap", "timeout", "bad output", "failed", "no instance", "question"}
	if c == 0 || int(c) >= len(names) {
		return "invalid"
	}
	return names[c]
}

// CallError is the error of one call of a guest. The decision that was asked has
// failed; nothing else has. Its text is for the log: it holds words of the guest,
// made safe to print.
type CallError struct {
	Cause Cause
	Hook  string // "auth", "fs", "event", "config", "start"
	// Stderr is what the guest wrote to its standard output and error during the
	// call, cut to 4 KiB, control characters escaped. A Go guest's panic is here.
	Stderr string
	Err    error
}

// Error leads with the guest's own words if there are any, because they name the
// file and line of a panic, and the trap does not.
func (e *CallError) Error() string {
	what := abi.Clean(firstLine(e.Err.Error()), 300)
	if e.Stderr != "" {
		return fmt.Sprintf("%s (%s in %s: %s)", e.Stderr, e.Cause, e.Hook, what)
	}
	return fmt.Sprintf("%s in %s: %s", e.Cause, e.Hook, what)
}

// Unwrap returns the cause as the engine reported it.
func (e *CallError) Unwrap() error { return e.Err }

// causeOf sorts an error of the engine.
func causeOf(err error, limit time.Duration) (Cause, error) {
	var exit *sys.ExitError
	if !errors.As(err, &exit) {
		return CauseTrap, err
	}
	switch exit.ExitCode() {
	case sys.ExitCodeDeadlineExceeded, sys.ExitCodeContextCanceled:
		return CauseTimeout, fmt.Errorf("stopped after %v", limit)
	}
	return CauseTrap, fmt.Errorf("the guest left with exit code %d", exit.ExitCode())
}

// maxStderr bounds what is kept of a guest's output during one call. The first
// bytes are kept: a panic's message comes before its stack.
const maxStderr = 4 << 10

// escape makes guest output fit for one line of a log. It is cut to limit bytes
// before it is escaped.
func escape(b []byte, limit int) string {
	cut := len(b) > limit
	s := strings.ToValidUTF8(string(b[:min(len(b), limit)]), "\uFFFD")
	s = strings.TrimRight(s, "\r\n")
	var out strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteByte(' ')
		case r < 0x20 || r >= 0x7f && r < 0xa0 || isInvisible(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	if cut {
		out.WriteString("...")
	}
	return out.String()
}

// isInvisible reports the characters that change how a line is shown: direction
// marks and line separators.
func isInvisible(r rune) bool {
	return r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2066 && r <= 0x2069 || r == 0xfeff
}
