package listing

import (
	"errors"
	"io"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

const (
	// portion is how many entries are described at once.
	portion = 512
	// sendSize is the least number of bytes that WriteTo writes at once, but at
	// the end.
	sendSize = 64 << 10
)

// Reader is a directory as text. Whoever has one must close it.
type Reader struct {
	l     Lister
	p     vfs.Path
	dir   vfs.Dir
	names vfs.NameDir // set if names are enough
	extra []vfs.Info
	line  func([]byte, vfs.Info) []byte

	buf    []byte
	next   int // first byte of buf not yet read
	err    error
	closed bool
}

// Read implements io.Reader. It fails as the directory's Next does, after all that
// was read before.
func (r *Reader) Read(b []byte) (int, error) {
	for r.next == len(r.buf) {
		if r.err != nil {
			return 0, r.err
		}
		r.buf, r.next = r.buf[:0], 0
		r.fill()
	}
	n := copy(b, r.buf[r.next:])
	r.next += n
	return n, nil
}

// WriteTo implements io.WriterTo: it writes in large pieces, and needs no other
// buffer.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		for r.err == nil && len(r.buf)-r.next < sendSize {
			r.fill()
		}
		if r.next < len(r.buf) {
			n, err := w.Write(r.buf[r.next:])
			total += int64(n)
			r.next += n
			if err != nil {
				return total, err
			}
		}
		r.buf, r.next = r.buf[:0], 0
		if errors.Is(r.err, io.EOF) {
			return total, nil
		}
		if r.err != nil {
			return total, r.err
		}
	}
}

// Close closes the directory. Further calls do nothing.
func (r *Reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed, r.err = true, io.ErrClosedPipe
	r.buf, r.next, r.extra = nil, 0, nil
	return r.dir.Close()
}

// fill adds the lines of one portion to buf.
func (r *Reader) fill() {
	if r.err = r.read(); errors.Is(r.err, io.EOF) {
		r.addExtra()
	}
}

// read adds the lines of the directory's next portion.
func (r *Reader) read() error {
	if r.names != nil {
		names, err := r.names.Names(portion)
		for _, name := range names {
			r.add(vfs.Info{Name: name})
		}
		return err
	}
	infos, err := r.dir.Next(portion)
	for _, info := range infos {
		r.add(info)
	}
	return err
}

// add adds the line of one entry.
func (r *Reader) add(info vfs.Info) {
	if r.l.tells(info.Name) {
		r.buf = r.line(r.buf, info)
	}
}

// addExtra adds the entries that are nobody else's to see. What was published
// meanwhile has been told, or is younger than the listing.
func (r *Reader) addExtra() {
	for _, info := range r.extra {
		if _, err := r.l.FS.Lstat(r.p.Join(info.Name)); err != nil {
			r.add(info)
		}
	}
	r.extra = nil
}
