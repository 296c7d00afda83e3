package listing

import (
	"io"
	"io/fs"
	"strings"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

const (
	// portion is how many entries are read and formatted at once; the first ones
	// are fewer, so that a client soon has something.
	portion      = 512
	firstPortion = 32
	// enough is how many bytes are gathered for one Read that asks for more, so
	// that a listing goes out in few pieces.
	enough = 32 << 10
)

// Format appends the line of one entry, without its end.
type Format func(dst []byte, info vfs.Info) []byte

// Reader is a directory as lines that end with CRLF (RFC 959 §3.1.1.1). It is
// read by one goroutine.
type Reader struct {
	dir     vfs.Dir     // nil once closed
	names   vfs.NameDir // dir, if its names are enough
	format  Format
	dots    bool
	step    int    // entries of the last portion
	memory  []byte // whose end buf is
	buf     []byte
	err     error
	LeftOut int // names that could not be listed because a line cannot hold them
}

// New lists dir, in the order in which it gives its entries. Close closes dir.
// Without dots, names that begin with a dot are not listed.
func New(dir vfs.Dir, dots bool, format Format) *Reader {
	return &Reader{dir: dir, dots: dots, format: format}
}

// NewNames lists dir like New, in the format Names with that prefix. Where the
// directory can give names alone, no file is looked at.
func NewNames(dir vfs.Dir, dots bool, prefix string) *Reader {
	r := New(dir, dots, Names(prefix))
	r.names, _ = dir.(vfs.NameDir)
	return r
}

// Read returns the next bytes. It fails as the directory's Next does, after all
// that was read before.
func (r *Reader) Read(p []byte) (int, error) {
	if len(r.buf) == 0 {
		r.memory = r.memory[:0]
		r.step = min(max(2*r.step, firstPortion), portion)
		for r.err == nil && len(r.memory) < min(len(p), enough*r.step/portion) {
			r.fill()
		}
		r.buf = r.memory
	}
	if len(r.buf) == 0 && len(p) > 0 {
		return 0, r.err
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

// Close closes the directory. Reading and closing again find it closed.
func (r *Reader) Close() error {
	dir := r.dir
	r.dir, r.names, r.buf, r.memory = nil, nil, nil, nil
	if r.err == nil || r.err == io.EOF {
		r.err = fs.ErrClosed
	}
	if dir == nil {
		return nil
	}
	return dir.Close()
}

// fill formats the next portion.
func (r *Reader) fill() {
	if r.names != nil {
		var names []string
		names, r.err = r.names.Names(r.step)
		for _, name := range names {
			r.add(vfs.Info{Name: name})
		}
		return
	}
	var infos []vfs.Info
	infos, r.err = r.dir.Next(r.step)
	for _, info := range infos {
		r.add(info)
	}
}

// add formats one entry, if a line can hold it.
func (r *Reader) add(info vfs.Info) {
	if !r.dots && strings.HasPrefix(info.Name, ".") {
		return
	}
	if !writable(info) {
		r.LeftOut++
		return
	}
	r.memory = append(r.format(r.memory, info), '\r', '\n')
}

// writable reports whether a line can hold what an entry says of itself.
func writable(info vfs.Info) bool {
	const ends = "\r\n\x00"
	return !strings.ContainsAny(info.Name, ends) && !strings.ContainsAny(info.Target, ends)
}
