package listing

import (
	"io"
	"strings"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// portion is how many entries are read and formatted at once.
const portion = 256

// Format appends the line of one entry, without its end.
type Format func(dst []byte, info vfs.Info) []byte

// Reader is a directory as lines that end with CRLF (RFC 959 §3.1.1.1). It is
// read by one goroutine.
type Reader struct {
	dir     vfs.Dir
	extra   []vfs.Info
	format  Format
	dots    bool
	buf     []byte
	err     error
	LeftOut int // names that could not be listed because a line cannot hold them
}

// New lists dir, whose entries come in no order, and then the extra entries.
// Close closes dir. Without dots, names that begin with a dot are not listed.
func New(dir vfs.Dir, extra []vfs.Info, dots bool, format Format) *Reader {
	return &Reader{dir: dir, extra: extra, dots: dots, format: format}
}

// One lists a single entry.
func One(info vfs.Info, format Format) *Reader {
	return &Reader{extra: []vfs.Info{info}, dots: true, format: format}
}

// Read returns whole lines, as many as are at hand.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.buf) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

// Close closes the directory.
func (r *Reader) Close() error {
	if r.dir == nil {
		return nil
	}
	return r.dir.Close()
}

// fill formats the next portion.
func (r *Reader) fill() {
	r.buf = r.buf[:0]
	var infos []vfs.Info
	if r.dir != nil {
		infos, r.err = r.dir.Next(portion)
	} else {
		r.err = io.EOF
	}
	if r.err == io.EOF {
		infos = append(infos, r.extra...)
		r.extra = nil
	}
	for _, info := range infos {
		if !r.dots && strings.HasPrefix(info.Name, ".") {
			continue
		}
		if strings.ContainsAny(info.Name, "\r\n\x00") || strings.ContainsAny(info.Target, "\r\n\x00") {
			r.LeftOut++
			continue
		}
		r.buf = append(r.format(r.buf, info), '\r', '\n')
	}
}
