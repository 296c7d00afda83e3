// Package record keeps what crossed the border between a server and its policy
// modules, so that another module can be asked the same (package replay does) and a
// crash can be looked at where there is no server.
//
// A recording is a file of frames, each a u32 length, the CRC-32C of what follows, and
// that many bytes, behind a line that names the format. A frame is a module ('m', JSON),
// an exchange ('x', binary, see Exchange) or the end ('e', JSON). A file that was cut
// off is read up to its last whole frame. All numbers are little-endian.
//
// No recording holds a password, nor what binds a login to its connection. What else is in
// it, see [Hider].
package record

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost"
)

// magic is the first line of a recording.
const magic = "edgeftp recording 1\n"

// Module is what an exchange was with.
type Module struct {
	Policy     string    `json:"policy"` // the slot
	Digest     string    `json:"digest"` // "sha256:" and hex digits
	Version    string    `json:"version,omitempty"`
	Generation uint64    `json:"generation,omitempty"`
	Since      time.Time `json:"since"` // when its part of the recording began
	// Hidden says that names were replaced: see Hider.
	Hidden bool `json:"hidden"`
	// Server is the version of the server.
	Server string `json:"server,omitempty"`
}

// End is what a recording ends with. One that was cut off has none.
type End struct {
	Exchanges uint64 `json:"exchanges"`
	Dropped   uint64 `json:"dropped"` // exchanges that came too fast or were not wanted any more
	Full      bool   `json:"full"`    // it ended at its greatest size
}

// Exchange is one exchange of a recording with the module that it was with.
type Exchange struct {
	wasmhost.Exchange
	Module *Module
}

// maxFrame bounds one frame: a question, a reply of a mailbox's size and the calls of
// the host between them.
const maxFrame = 16 << 20

// ErrFormat is wrapped where bytes are no recording.
var ErrFormat = errors.New("not a recording of edgeftp, or damaged")

// Writer writes a recording. Its methods are not safe for concurrent use.
type Writer struct {
	w       io.Writer
	written int64
	limit   int64
	end     End
	buf     []byte
}

// NewWriter begins a recording of at most limit bytes, 0 for no limit.
func NewWriter(w io.Writer, limit int64) (*Writer, error) {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	_, err := io.WriteString(w, magic)
	return &Writer{w: w, limit: limit, written: int64(len(magic))}, err
}

// Module says with which module the exchanges from here on are.
func (w *Writer) Module(m Module) error { return w.json('m', m) }

// Exchange adds an exchange. It reports false, and writes nothing, if the recording
// would be longer than its limit.
func (w *Writer) Exchange(x *wasmhost.Exchange) (bool, error) {
	w.buf = appendExchange(append(w.buf[:0], 'x'), x)
	if len(w.buf) > maxFrame || w.written+int64(len(w.buf))+8 > w.limit {
		w.end.Full = true
		w.end.Dropped++
		return false, nil
	}
	w.end.Exchanges++
	return true, w.frame(w.buf)
}

// Close writes the end of the recording, with the number of exchanges that were lost
// before they came to the writer. It does not close what it writes to.
func (w *Writer) Close(dropped uint64) error {
	w.end.Dropped += dropped
	return w.json('e', w.end)
}

func (w *Writer) json(kind byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.frame(append([]byte{kind}, text...))
}

func (w *Writer) frame(payload []byte) error {
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(head[4:], checksum(payload))
	if _, err := w.w.Write(append(head[:], payload...)); err != nil {
		return err
	}
	w.written += int64(len(head) + len(payload))
	return nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Reader reads a recording.
type Reader struct {
	r      *bufio.Reader
	module *Module
	end    *End
}

// NewReader opens a recording. It fails with [ErrFormat] if the first line is another.
func NewReader(r io.Reader) (*Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	line, err := b.Peek(len(magic))
	if err != nil || string(line) != magic {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrFormat, magic[:len(magic)-1])
	}
	_, _ = b.Discard(len(magic)) // they are there
	return &Reader{r: b}, nil
}

// Next returns the next exchange. It fails with io.EOF at the end, with
// io.ErrUnexpectedEOF where the file was cut off, and with [ErrFormat] for a damaged
// frame; everything before it was good.
func (r *Reader) Next() (*Exchange, error) {
	for {
		payload, err := r.frame()
		if err != nil {
			return nil, err
		}
		switch payload[0] {
		case 'm':
			m := new(Module)
			if err := json.Unmarshal(payload[1:], m); err != nil {
				return nil, fmt.Errorf("%w: module: %v", ErrFormat, err)
			}
			r.module = m
		case 'e':
			r.end = new(End)
			if err := json.Unmarshal(payload[1:], r.end); err != nil {
				return nil, fmt.Errorf("%w: end: %v", ErrFormat, err)
			}
			return nil, io.EOF
		case 'x':
			if r.module == nil {
				return nil, fmt.Errorf("%w: an exchange with no module", ErrFormat)
			}
			x := &Exchange{Module: r.module}
			if err := readExchange(payload[1:], &x.Exchange); err != nil {
				return nil, err
			}
			return x, nil
		default:
			return nil, fmt.Errorf("%w: a frame of kind %q", ErrFormat, payload[0])
		}
	}
}

// End returns what the recording ended with, nil before Next said io.EOF, or if it has
// no end.
func (r *Reader) End() *End { return r.end }

func (r *Reader) frame() ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return nil, io.ErrUnexpectedEOF // an end has a frame of its own
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return nil, fmt.Errorf("%w: a frame of %d bytes", ErrFormat, n)
	}
	payload := make([]byte, 0, min(n, 1<<16)) // the length is the file's word
	for len(payload) < int(n) {
		piece := make([]byte, min(int(n)-len(payload), 1<<20))
		if _, err := io.ReadFull(r.r, piece); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		payload = append(payload, piece...)
	}
	if checksum(payload) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, fmt.Errorf("%w: a frame whose checksum is another", ErrFormat)
	}
	return payload, nil
}
