package quicnet

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/quic-go/quic-go"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// Code says why a connection or a stream has ended (docs/ftpq.md, "Codes"). Both draw
// on the same numbers.
type Code uint64

// The codes.
const (
	CodeOK        Code = 0x00 // nothing is wrong
	CodeProtocol  Code = 0x01 // the peer broke the rules
	CodeInternal  Code = 0x02 // a fault of whoever says it
	CodeIdle      Code = 0x03 // nothing has happened for too long
	CodeAuth      Code = 0x04 // not, or no longer, to be let in
	CodePolicy    Code = 0x05 // a policy forbids the connection
	CodeTooMany   Code = 0x06 // more than is permitted
	CodeShutdown  Code = 0x07 // the server shuts down; come again
	CodeToken     Code = 0x08 // the token is not awaited, or was used
	CodeAborted   Code = 0x10 // the transfer was aborted, or its connection broke
	CodeStorage   Code = 0x11 // the file could not be read or written
	CodeForbidden Code = 0x12 // a policy ended the transfer
	CodeTooLarge  Code = 0x13 // larger than is permitted
)

// String says what the code means.
func (c Code) String() string {
	switch c {
	case CodeOK:
		return "no error"
	case CodeProtocol:
		return "protocol error"
	case CodeInternal:
		return "internal error"
	case CodeIdle:
		return "idle for too long"
	case CodeAuth:
		return "not let in"
	case CodePolicy:
		return "forbidden by a policy"
	case CodeTooMany:
		return "too many"
	case CodeShutdown:
		return "the server shuts down"
	case CodeToken:
		return "unknown or used token"
	case CodeAborted:
		return "transfer aborted"
	case CodeStorage:
		return "storage error"
	case CodeForbidden:
		return "transfer ended by a policy"
	case CodeTooLarge:
		return "too large"
	}
	return fmt.Sprintf("unknown code %#x", uint64(c))
}

// codeOf is how a data stream ends whose transfer has ended with err.
func codeOf(err error) Code {
	switch {
	case errors.Is(err, dtp.ErrTooLarge):
		return CodeTooLarge
	case errors.Is(err, dtp.ErrForbidden):
		return CodeForbidden
	case errors.Is(err, dtp.ErrStalled), errors.Is(err, dtp.ErrSlow):
		return CodeIdle
	}
	if _, file := errors.AsType[*os.PathError](err); file {
		return CodeStorage
	}
	return CodeAborted
}

// Error is the end that the peer has put to a stream or to the connection.
type Error struct {
	Code       Code
	Connection bool   // all of the connection has ended, not one stream
	Text       string // what the peer says about it; empty for a stream
}

// Error says what has ended, and why.
func (e *Error) Error() string {
	what := "the stream"
	if e.Connection {
		what = "the QUIC connection"
	}
	text := fmt.Sprintf("the peer has ended %s: %s (code %#x)", what, e.Code, uint64(e.Code))
	if e.Text != "" {
		text += fmt.Sprintf(": %q", e.Text)
	}
	return text
}

// lost is the end of the connection. It is no timeout, whatever its cause: that of a
// deadline, after which one may go on, is something else.
type lost struct{ cause error }

func (l lost) Error() string { return "the QUIC connection is lost: " + l.cause.Error() }

// Is makes every end of the connection net.ErrClosed.
func (l lost) Is(target error) bool { return target == net.ErrClosed }

// fault makes the library's errors ours, so that nobody else has to know them.
func fault(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*quic.StreamError](err); ok {
		if !e.Remote {
			return net.ErrClosed
		}
		return &Error{Code: Code(e.ErrorCode)}
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		if !e.Remote {
			return net.ErrClosed
		}
		return &Error{Code: Code(e.ErrorCode), Connection: true, Text: e.ErrorMessage}
	}
	switch {
	case endOfConnection(err):
		return lost{err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.Is(err, quic.ErrStreamClosed), errors.Is(err, net.ErrClosed):
		return net.ErrClosed
	}
	return err
}

func endOfConnection(err error) bool {
	var transport *quic.TransportError
	var idle *quic.IdleTimeoutError
	var slow *quic.HandshakeTimeoutError
	var reset *quic.StatelessResetError
	return errors.As(err, &transport) || errors.As(err, &idle) || errors.As(err, &slow) || errors.As(err, &reset)
}
