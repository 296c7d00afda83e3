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
	portion      = 256
	firstPortion = 32
	// enough is how many bytes are gathered for one Read that asks for more, so
	// that a listing goes out in few pieces.
	enough = 32 << 10
	// helped is how many entries are worth the start of a goroutine, which takes
	// as long as some ten of them.
	helped = 64
)

// Format appends the line of one entry, without its end. It may remember what
// repeats from one entry to the next, and is used by one goroutine at a time.
type Format func(dst []byte, info *vfs.Info) []byte

// Reader is a directory as lines that end with CRLF (RFC 959 §3.1.1.1). It is
// read by one goroutine.
//
// The entries of a [vfs.LookDir] are looked at in two batches: a helper has the
// first while the reader itself does the second, and goes on with the next one while
// what there is goes to the client. Without a helper the reader does both. Any other
// directory is read as it gives its entries.
type Reader struct {
	dir     vfs.Dir     // nil once closed
	names   vfs.NameDir // dir, if its names are enough
	look    vfs.LookDir // dir, if it can be looked at in batches
	helpers *Helpers
	format  Format
	dots    bool
	step    int           // entries of the last portion
	another func() Format // makes a helper's
	few     []string      // of names
	first   *batch        // what a helper may have
	own     *batch        // what comes behind it
	end     error         // what there is behind the batches
	left    [][]byte      // lines that were not yet read, from at on
	at      int
	memory  []byte // of lines that are no batch's
	err     error  // after what is left
	LeftOut int    // names that could not be listed because a line cannot hold them
}

// New lists dir, in the order in which it gives its entries. Close closes dir.
// Without dots, names that begin with a dot are not listed.
func New(dir vfs.Dir, dots bool, format Format) *Reader {
	r := &Reader{dir: dir, dots: dots, format: format}
	r.look, _ = dir.(vfs.LookDir)
	return r
}

// NewNames lists dir like New, in the format Names with that prefix. Where the
// directory can give names alone, no file is looked at.
func NewNames(dir vfs.Dir, dots bool, prefix string) *Reader {
	r := New(dir, dots, Names(prefix))
	r.names, _ = dir.(vfs.NameDir)
	return r
}

// Help lets r have a helper. The function returns a format like that of r, for the
// helper alone.
func (r *Reader) Help(h *Helpers, format func() Format) { r.helpers, r.another = h, format }

// Close closes the directory, when no helper looks at it any more. Reading and
// closing again find it closed.
func (r *Reader) Close() error {
	dir := r.dir
	if r.err == nil || r.err == io.EOF {
		r.err = fs.ErrClosed
	}
	if dir == nil {
		return nil
	}
	if r.first != nil && r.first.done != nil {
		<-r.first.done
	}
	r.dir, r.names, r.look, r.left, r.memory, r.first, r.own = nil, nil, nil, nil, nil, nil, nil
	return dir.Close()
}

// Read returns the next bytes. It fails as the directory does, after all that was
// read before.
func (r *Reader) Read(p []byte) (n int, err error) {
	for r.at == len(r.left) && r.err == nil && len(p) > 0 {
		r.gather(len(p))
	}
	for r.at < len(r.left) && n < len(p) {
		k := copy(p[n:], r.left[r.at])
		n += k
		if r.left[r.at] = r.left[r.at][k:]; len(r.left[r.at]) == 0 {
			r.at++
		}
	}
	if r.at == len(r.left) && r.err == nil && n > 0 {
		r.ahead()
	}
	if n == 0 && len(p) > 0 {
		return 0, r.err
	}
	return n, nil
}

// gather fills what is left with the next lines.
func (r *Reader) gather(room int) {
	r.left, r.at = r.left[:0], 0
	if r.look != nil && r.names == nil {
		r.turn()
		return
	}
	r.memory = r.memory[:0]
	r.step = min(max(2*r.step, firstPortion), portion)
	for r.err == nil && len(r.memory) < min(room, enough*r.step/portion) {
		r.fill()
	}
	if len(r.memory) > 0 {
		r.left = append(r.left, r.memory)
	}
}

// fill formats the next portion.
func (r *Reader) fill() {
	if r.names != nil {
		r.few, r.err = r.names.AppendNames(r.few[:0], r.step)
		for i := range r.few {
			r.add(&vfs.Info{Name: r.few[i]})
		}
		return
	}
	var infos []vfs.Info
	infos, r.err = r.dir.Next(r.step)
	for i := range infos {
		r.add(&infos[i])
	}
}

// add formats one entry, if it is listed.
func (r *Reader) add(info *vfs.Info) {
	if r.dots || !strings.HasPrefix(info.Name, ".") {
		r.memory = appendLine(r.memory, r.format, info, &r.LeftOut)
	}
}

// turn takes the lines of the next entries: the first portion alone, at once, or two
// batches of which a helper may have the first already.
func (r *Reader) turn() {
	if r.step == 0 {
		r.step = firstPortion
		r.own = &batch{look: r.look, format: r.format}
		if r.load(r.own) {
			r.own.work()
		}
		r.take(r.own)
		return
	}
	r.other()
	if r.first.done == nil && r.load(r.first) && !r.first.help(r.helpers) {
		r.first.work()
	}
	if r.load(r.own) {
		r.own.work()
	}
	r.first.wait()
	r.take(r.first)
	r.take(r.own)
}

// ahead has a helper begin with the entries after those that were read: not before the
// first lines are on their way, since who is woken may be run first.
func (r *Reader) ahead() {
	if r.first == nil || r.helpers == nil {
		return
	}
	if r.load(r.first) {
		r.first.help(r.helpers)
	}
}

// other makes the batch that a helper may have. From now on they are large.
func (r *Reader) other() {
	if r.first != nil {
		return
	}
	format := r.format
	if r.helpers != nil {
		format = r.another()
	}
	r.step, r.first = portion, &batch{look: r.look, format: format}
}

// load gives a batch its names, unless it has some, and reports whether it has.
func (r *Reader) load(b *batch) bool {
	for len(b.names) == 0 && r.end == nil {
		if b.names, r.end = r.look.Candidates(b.names, r.step); !r.dots {
			b.names = withoutDots(b.names)
		}
	}
	return len(b.names) > 0
}

// take takes what has become of a batch. What an error leaves of a listing ends
// there.
func (r *Reader) take(b *batch) {
	if r.err == nil && len(b.names) > 0 {
		if len(b.lines) > 0 {
			r.left = append(r.left, b.lines)
		}
		r.LeftOut += b.leftOut
		r.err = b.err
	}
	b.names, b.leftOut = b.names[:0], 0
	if b == r.own && r.err == nil {
		r.err = r.end
	}
}
