package abi

import (
	"errors"
	"strconv"
	"strings"
)

// The errors of encoders and decoders. They are wrapped with what was wrong;
// test for them with errors.Is.
var (
	// ErrRecord reports a record that breaks ABI §3 to §5.
	ErrRecord = errors.New("bad record")
	// ErrReply reports a verdict or a reply that breaks ABI §6.
	ErrReply = errors.New("bad reply")
	// ErrUnsupported reports a reply key that this server cannot honour yet.
	ErrUnsupported = errors.New("not supported by this server yet")
	// ErrEncode reports a value that the ABI cannot carry.
	ErrEncode = errors.New("cannot be encoded")
	// ErrFailed reports the action [Fail]. Its text is what the guest said.
	ErrFailed = errors.New("the policy could not decide")
)

// detailed is one of the errors above with what was wrong.
type detailed struct {
	kind error
	text string
}

// Error returns the kind and what was wrong.
func (e *detailed) Error() string { return e.kind.Error() + ": " + e.text }

// Unwrap returns the kind.
func (e *detailed) Unwrap() error { return e.kind }

// wrong makes a detailed error. The format knows %s and %d alone: package fmt
// would add half a megabyte and seven imports to every Go guest.
func wrong(kind error, format string, args ...any) error {
	var b strings.Builder
	for {
		before, rest, more := strings.Cut(format, "%")
		b.WriteString(before)
		if !more {
			return &detailed{kind, b.String()}
		}
		format = strings.TrimPrefix(strings.TrimPrefix(rest, "s"), "d")
		if len(args) > 0 {
			b.WriteString(word(args[0]))
			args = args[1:]
		}
	}
}

// word is one argument as text.
func word(arg any) string {
	switch v := arg.(type) {
	case string:
		return v
	case error:
		return v.Error()
	case interface{ String() string }:
		return v.String()
	case int:
		return strconv.Itoa(v)
	case uint16:
		return strconv.Itoa(int(v))
	case uint32:
		return strconv.FormatUint(uint64(v), 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	}
	return "?"
}
