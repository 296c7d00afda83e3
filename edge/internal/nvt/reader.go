package nvt

import "io"

// readerPiece is how many bytes of the file a Reader takes at a time. Twice as
// many, the worst case of the encoding, are four TLS records.
const readerPiece = 32 << 10

// Reader is a file as NVT-ASCII (RFC 959 §3.1.1.1). Make it with [NewReader]. It
// belongs to one goroutine.
type Reader struct {
	src  io.Reader
	enc  Encoder
	in   []byte
	out  []byte // encoded bytes, of which those before next were handed out
	next int
	err  error // what src ended with, returned once out is empty
}

// NewReader returns a Reader over src. It holds 96 KiB once it was read from.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Read implements io.Reader. It returns the error of the underlying reader after
// every byte read before it was handed out.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.next == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		if r.in == nil {
			r.in = make([]byte, readerPiece)
			r.out = make([]byte, 0, 2*readerPiece)
		}
		n, err := r.src.Read(r.in)
		r.out = r.enc.Append(r.out[:0], r.in[:n])
		r.next = 0
		r.err = err
	}
	n := copy(p, r.out[r.next:])
	r.next += n
	return n, nil
}
