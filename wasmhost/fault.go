package wasmhost

import (
	"errors"
	"fmt"
	"strings"

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
	CauseFuel                        // it worked more than a question is worth
	CauseDepth                       // its calls were nested too deeply
	CauseBadOutput                   // what it returned breaks the ABI
	CauseFailed                      // it said that it could not decide
	CauseNoInstance                  // no instance was free or could be made
	CauseQuestion                    // the question does not fit the ABI or the mailbox
	CauseClosed                      // the policy was closed while it ran
	NumCauses                        // one more than the greatest cause
)

// String returns the cause in words.
func (c Cause) String() string {
	names := [NumCauses]string{"", "trap", "timeout", "out of fuel", "too deep", "bad output", "failed", "no instance",
		"question", "closed"}
	if c == 0 || c >= NumCauses {
		return "invalid"
	}
	return names[c]
}

// costsInstance reports whether the instance may have been left torn.
func (c Cause) costsInstance() bool {
	return c != CauseFailed && c != CauseQuestion && c != CauseNoInstance
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

// exitOf tells a guest that left by itself from one that trapped.
func exitOf(err error) error {
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("the guest left with exit code %d", exit.ExitCode())
	}
	return err
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
