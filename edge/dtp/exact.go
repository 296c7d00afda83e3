package dtp

import (
	"errors"
	"io"
)

// ErrShort is that a file has fewer bytes than were promised of it.
var ErrShort = errors.New("the file became shorter while it was sent")

// Exact reads N bytes of R and no more. Where R ends before, that is ErrShort, and not the
// end: it is for what a client was told the length of. As [Transfer].Send an *Exact of an
// *os.File goes by sendfile.
type Exact struct {
	R io.Reader // where the bytes come from
	N int64     // bytes that are left; less than 0 is none
}

// Read implements io.Reader.
func (e *Exact) Read(b []byte) (n int, err error) {
	if e.N <= 0 {
		return 0, io.EOF
	}
	n, err = e.R.Read(b[:min(int64(len(b)), e.N)])
	e.N -= int64(n)
	if err == io.EOF && e.N > 0 {
		err = ErrShort
	}
	return n, err
}
