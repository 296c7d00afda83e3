package listing

import (
	"context"
	"io"
	"strings"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Root is a directory at which a tree begins.
type Root struct {
	Path vfs.Path // as the client would ask for it
	// Text stands before the names in it: empty, or as the client wrote the
	// directory, with a slash at its end.
	Text string
}

// Formatter returns the format for the entries of one directory, which lies at a
// path and before whose names text stands.
type Formatter func(at vfs.Path, text string) Format

// Tree lists directories and what is below them, in the manner of ls -R: each
// directory's entries and then, one after the other, the directories among them.
// Symbolic links are not gone into, nor what cannot be read or may not be
// listed. A Tree ends with the error of the limit that it met, after everything
// that it could list. It is read by one goroutine.
type Tree struct {
	walk    *Walk
	format  Formatter
	headers bool

	left   []level // still to be listed, the next one at the end
	below  []level // what the current directory adds to them
	now    level
	cur    *Reader // nil between two directories
	memory []byte  // whose end buf is
	buf    []byte  // not yet read by the client
	some   bool    // something has been listed
	deep   bool    // there is more than Limits.Depth permits
	err    error
}

// level is a directory of a tree.
type level struct {
	up    *level // nil for a root
	name  string // in it
	root  Root   // of a root
	depth int
}

// where returns a directory's path and text.
func (l *level) where() (vfs.Path, string) {
	if l.up == nil {
		return l.root.Path, l.root.Text
	}
	p, text := l.up.where()
	return p.Join(l.name), text + l.name + "/"
}

// NewTree lists the trees below the roots. With headers, the name of each
// directory and a colon stand before its entries, and an empty line between two.
func NewTree(w *Walk, format Formatter, headers bool, roots ...Root) *Tree {
	t := &Tree{walk: w, format: format, headers: headers}
	for i := range roots {
		t.left = append(t.left, level{root: roots[len(roots)-1-i]})
	}
	return t
}

// First lists something else before the trees: entries, in their own format.
func (t *Tree) First(r *Reader) { t.cur = r }

// Begin opens the first root, and fails as that does. Without it, a root that
// cannot be opened is left out like any other directory.
func (t *Tree) Begin() error {
	defer t.walk.work()()
	p, text := t.pop()
	dir, at, err := t.walk.open(p)
	if err == nil {
		t.enter(dir, at, text)
	}
	return err
}

// pop goes to the next directory.
func (t *Tree) pop() (vfs.Path, string) {
	end := len(t.left) - 1
	t.now, t.left = t.left[end], t.left[:end]
	return t.now.where()
}

// Read returns the next bytes.
func (t *Tree) Read(p []byte) (int, error) {
	defer t.walk.work()()
	if len(t.buf) == 0 {
		t.buf = t.memory[:0]
	}
	for t.err == nil && len(t.buf) < min(len(p), enough) {
		t.fill()
	}
	if len(t.buf) == 0 && len(p) > 0 {
		return 0, t.err
	}
	n := copy(p, t.buf)
	t.buf = t.buf[n:]
	return n, nil
}

// fill adds what there is at once.
func (t *Tree) fill() {
	if t.cur == nil {
		t.err = t.next()
		return
	}
	if cap(t.buf)-len(t.buf) < enough {
		t.memory = append(make([]byte, 0, len(t.buf)+2*enough), t.buf...)
		t.buf = t.memory
	}
	k, err := t.cur.Read(t.buf[len(t.buf):cap(t.buf)])
	t.buf = t.buf[:len(t.buf)+k]
	if err == nil {
		return
	}
	_ = t.cur.Close()
	t.cur, t.some = nil, true
	for i := range t.below {
		t.left = append(t.left, t.below[len(t.below)-1-i])
	}
	if t.below = nil; err != io.EOF {
		t.err = err
	}
}

// next opens the next directory that can be opened. It returns io.EOF, or that
// the tree was too deep, when there is none.
func (t *Tree) next() error {
	for len(t.left) > 0 {
		if err := t.walk.check(context.Background()); err != nil {
			return err
		}
		p, text := t.pop()
		dir, at, err := t.walk.open(p)
		if err == nil {
			t.enter(dir, at, text)
			return nil
		}
		if leftOut(err) != nil {
			return err
		}
	}
	if t.deep {
		return ErrDepth
	}
	return io.EOF
}

// enter begins to list a directory.
func (t *Tree) enter(dir vfs.Dir, at vfs.Path, text string) {
	if t.headers {
		if t.some {
			t.buf = append(t.buf, "\r\n"...)
		}
		name := strings.TrimSuffix(text, "/")
		switch text {
		case "":
			name = "."
		case "/":
			name = "/"
		}
		t.buf = append(append(t.buf, name...), ":\r\n"...)
	}
	format := t.format(at, text)
	up := t.now
	dir = SortIn(t.walk.Room, t.walk.counted(dir), t.walk.Options, t.walk.Limits.Sorted)
	t.cur = New(dir, t.walk.Dots, func(dst []byte, info *vfs.Info) []byte {
		if info.IsDir() {
			t.remember(&up, strings.Clone(info.Name)) // not the whole of what was read with it
		}
		return format(dst, info)
	})
}

// remember keeps a directory for later.
func (t *Tree) remember(up *level, name string) {
	if up.depth >= t.walk.Limits.Depth {
		t.deep = true
		return
	}
	t.below = append(t.below, level{up: up, name: name, depth: up.depth + 1})
}

// Close closes what is open.
func (t *Tree) Close() error {
	t.left, t.below, t.buf, t.memory = nil, nil, nil, nil
	if t.err == nil {
		t.err = io.EOF
	}
	if t.cur == nil {
		return nil
	}
	cur := t.cur
	t.cur = nil
	return cur.Close()
}
