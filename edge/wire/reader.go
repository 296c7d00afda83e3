package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the greatest length of a command line in bytes, after Telnet
// sequences and the line's end were removed. It leaves room for a path of 4,096
// bytes and a verb.
const MaxLine = 8192

// ErrLineTooLong says that a line was longer than MaxLine. The whole line was
// thrown away and the reader stands at the next one.
var ErrLineTooLong = errors.New("command line is too long")

// ErrLineEndless says that 1 MiB of one line were read, Telnet sequences
// included, and its end is still not there: whoever sends that does not speak FTP.
// It is an ErrLineTooLong too. The reader goes on looking for the end, and says so
// again after as much.
var ErrLineEndless = fmt.Errorf("no end of the line is in sight: %w", ErrLineTooLong)

const maxRaw = 1 << 20

const readSize = 1024 // commands are short; what does not fit stays in the kernel

// Telnet's bytes (RFC 854).
const (
	telnetSE   = 240
	telnetSB   = 250
	telnetWILL = 251
	telnetIAC  = 255
)

type telnet uint8

const (
	inText telnet = iota
	afterIAC
	afterOption // one more byte belongs to WILL, WONT, DO or DONT
	inSub       // between SB and IAC SE
	inSubIAC
)

// Reader cuts the control connection's bytes into lines. It ends lines at LF
// and drops a CR before it (RFC 959 §5.3.1; a bare LF is what many devices
// send), and removes Telnet's commands (RFC 854), which clients send before ABOR.
// A CR elsewhere ends nothing. At the beginning of a line a Telnet command needs
// no IAC: urgent data, as which clients send it, may lose one byte.
// An LF always ends a line, whatever Telnet sequence
// it stands in, so that nobody can make the reader swallow what comes after it.
//
// In an argument, IAC IAC is one byte 0xFF, as RFC 854 has it, and so is an IAC
// before a byte that is no Telnet command: many clients do not double the 0xFF of
// a file name. A Telnet command there becomes a NUL, which makes the argument one
// that no command takes (see Command.Bad): a name is refused, never changed.
//
// A Reader keeps a partial line across errors, so that a read may be given up by
// a deadline and taken up again later. The zero value is ready to use and holds
// no memory; neither does a Reader after Release, unless bytes are waiting.
type Reader struct {
	raw     []byte // bytes read and not yet looked at
	buf     []byte // what raw is a part of
	line    []byte // the line so far
	telnet  telnet
	tooLong bool
	inArg   bool // the verb and a space are behind us
	fed     int  // bytes of the line, those taken out included
}

// ReadLine returns the next line without its end. The slice is valid until the
// next call. It reads from src only when no complete line is waiting; src's
// errors are returned as they are, and io.EOF drops a partial line.
func (r *Reader) ReadLine(src io.Reader) ([]byte, error) {
	for {
		if line, err, ok := r.next(); ok {
			return line, err
		}
		if r.buf == nil {
			r.buf = make([]byte, readSize)
		}
		n, err := src.Read(r.buf)
		r.raw = r.buf[:n]
		if n == 0 && err != nil {
			return nil, err
		}
	}
}

// Buffered returns the number of bytes that have been read and belong to no
// returned line.
func (r *Reader) Buffered() int { return len(r.raw) + len(r.line) }

// Waiting reports whether a complete line can be returned without reading.
func (r *Reader) Waiting() bool { return bytes.IndexByte(r.raw, '\n') >= 0 }

// Idle reports whether nothing of a line, nor of a Telnet sequence, has been read.
func (r *Reader) Idle() bool {
	return r.Buffered() == 0 && r.telnet == inText && !r.tooLong && r.fed == 0
}

// Release frees what memory is not needed for bytes that are waiting, or for the part of a
// line that has come.
func (r *Reader) Release() {
	if len(r.raw) == 0 {
		if len(r.line) > 0 {
			clear(r.buf) // Wipe has not seen these bytes: it may be a password's beginning
		}
		r.raw, r.buf = nil, nil
	}
	if len(r.line) == 0 {
		r.line = nil
		return
	}
	if cap(r.line) > 2*len(r.line) {
		whole := r.line
		r.line = append(make([]byte, 0, len(whole)), whole...)
		clear(whole)
	}
}

// Wipe overwrites what has been returned: the line that ReadLine returned last is no
// longer valid. Where a line was long, or came in pieces through a layer of encryption,
// copies of it may be elsewhere.
func (r *Reader) Wipe() {
	if len(r.line) == 0 {
		clear(r.line[:cap(r.line)])
	}
	if r.buf != nil && cap(r.raw) <= len(r.buf) {
		clear(r.buf[:len(r.buf)-cap(r.raw)])
	}
}

// Reset forgets everything, waiting bytes included.
func (r *Reader) Reset() { *r = Reader{} }

// whole is next for what clients send nearly always: a line that is there from its
// beginning to its end, and without a byte that is Telnet's. It is returned as it lies
// there, byte by byte it would cost four times as much.
func (r *Reader) whole() ([]byte, bool) {
	if r.telnet != inText || r.fed != 0 || len(r.line) > 0 || r.tooLong {
		return nil, false
	}
	end := bytes.IndexByte(r.raw, '\n')
	if end < 0 {
		return nil, false
	}
	line := r.raw[:end]
	if end > 0 && line[0] >= telnetSE || bytes.IndexByte(line, telnetIAC) >= 0 {
		return nil, false
	}
	r.raw = r.raw[end+1:]
	return bytes.TrimSuffix(line, []byte("\r")), true
}

// next looks for the end of the line in the bytes at hand.
func (r *Reader) next() (line []byte, err error, ok bool) {
	if line, ok := r.whole(); ok {
		return line, nil, true
	}
	if r.line == nil && len(r.raw) > 0 {
		r.line = make([]byte, 0, 128)
	}
	for i, b := range r.raw {
		if !r.feed(b) {
			if r.fed++; r.fed < maxRaw {
				continue
			}
			r.raw, r.line, r.tooLong, r.fed = r.raw[i+1:], r.line[:0], true, 0
			return nil, ErrLineEndless, true
		}
		r.raw = r.raw[i+1:]
		line = bytes.TrimSuffix(r.line, []byte("\r"))
		tooLong := r.tooLong || len(line) > MaxLine
		r.line, r.tooLong, r.inArg, r.fed = r.line[:0], false, false, 0
		if tooLong {
			return nil, ErrLineTooLong, true
		}
		return line, nil, true
	}
	r.raw = r.raw[:0]
	return nil, nil, false
}

// feed takes one byte and reports whether it ended the line.
func (r *Reader) feed(b byte) bool {
	switch r.telnet {
	case inText:
		return r.text(b)
	case afterIAC:
		return r.command(b)
	case afterOption:
		r.telnet = inText
	case inSub:
		if b == telnetIAC {
			r.telnet = inSubIAC
		}
	case inSubIAC:
		r.telnet = inSub
		if b == telnetSE {
			r.telnet = inText
		}
	}
	if b == '\n' { // inside a sequence that was never finished
		r.telnet = inText
	}
	return b == '\n'
}

// text takes a byte that is not part of a Telnet sequence.
func (r *Reader) text(b byte) bool {
	switch {
	case b == '\n':
		return true
	case b == telnetIAC:
		r.telnet = afterIAC
	case b >= telnetSE && len(r.line) == 0: // a command whose IAC was lost
	default:
		if b == ' ' && len(r.line) > 0 && r.line[len(r.line)-1] != ' ' {
			r.inArg = true
		}
		r.add(b)
	}
	return false
}

// add puts a byte into the line, unless the line is thrown away.
func (r *Reader) add(b byte) {
	switch {
	case r.tooLong:
	case len(r.line) > MaxLine: // one more than fits, which may be the CR of its end
		r.tooLong = true
		r.line = r.line[:0]
	default:
		r.line = append(r.line, b)
	}
}

// command takes the byte after an IAC. A byte that is no Telnet command belongs
// to the text; the IAC before it is text too in an argument, and elsewhere the
// rest of a command of which one byte was lost as urgent data.
func (r *Reader) command(b byte) bool {
	r.telnet = inText
	switch {
	case b == telnetIAC:
		r.add(b)
		return false
	case b < telnetSE:
		if r.inArg {
			r.add(telnetIAC)
		}
		return r.text(b)
	case b == telnetSB:
		r.telnet = inSub
	case b >= telnetWILL:
		r.telnet = afterOption
	}
	if r.inArg {
		r.add(0)
	}
	return false
}
