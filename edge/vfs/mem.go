package vfs

import (
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Mem is a filesystem in memory. It implements [FS], [Writer], [Chmodder],
// [Chtimer], [Birther], [Symlinker], [Spacer], [Partials] and [Subber] with the
// rules of [Disk], and is safe for concurrent use. It is meant for tests and for
// trees that need not last; it has no limits, asks no permissions of modes, knows
// no users and keeps no times of access.
type Mem struct {
	*memTree
	root  *memNode
	umask fs.FileMode // taken from the mode of what is new
}

// memTree is what all views have in common.
type memTree struct {
	mu       sync.RWMutex
	last     uint64 // inode number; the first is anywhere, so that two trees in one Forest have no file in common
	space    int64
	partials map[string]map[memPlace]*memPartial
	writers  map[*memNode]bool // files that are being appended to
}

// memPlace is a name in a directory, whatever the directory is called now and in
// whichever view.
type memPlace struct {
	dir  *memNode
	name string
}

// memSpace is what Space says unless told otherwise.
const memSpace = 1 << 40

// memNode is a file, directory or symbolic link. The bytes of a file are never
// changed once they can be seen, so that open files need no lock.
type memNode struct {
	mode    fs.FileMode
	modTime time.Time
	birth   time.Time
	gone    bool // a directory that was removed
	inode   uint64
	data    []byte
	target  string
	entries map[string]*memNode
}

// NewMem returns an empty filesystem.
func NewMem() *Mem {
	m := &Mem{umask: 0o022, memTree: &memTree{last: uint64(rand.Uint32()) << 24, space: memSpace, partials: make(map[string]map[memPlace]*memPartial),
		writers: make(map[*memNode]bool)}}
	m.root = m.node(fs.ModeDir | 0o755)
	m.root.entries = make(map[string]*memNode)
	return m
}

// node makes a node that is nowhere yet.
func (m *memTree) node(mode fs.FileMode) *memNode {
	m.last++
	now := time.Now()
	return &memNode{mode: mode, modTime: now, birth: now, inode: m.last}
}

// info describes the node under a name.
func (n *memNode) info(name string) Info {
	info := Info{Name: name, Size: int64(len(n.data)), Mode: n.mode, ModTime: n.modTime, Birth: n.birth,
		Target: n.target, Links: 1, Dev: 1, Inode: n.inode}
	if n.mode.IsDir() {
		info.Links = 2
	}
	return info
}

// at returns the node at a path whose parents hold no link.
func (m *Mem) at(p Path) (*memNode, error) {
	n := m.root
	for _, name := range split(string(p)) {
		switch {
		case len(name) > MaxName:
			return nil, ErrNameTooLong
		case !n.mode.IsDir():
			return nil, ErrNotDirectory
		}
		if n = n.entries[name]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// describe is at, for follow.
func (m *Mem) describe(p Path) (Info, error) {
	n, err := m.at(p)
	if err != nil {
		return Info{}, err
	}
	return n.info(p.Base()), nil
}

// lookup returns the node that p leads to, and its path without links. With only
// the last component missing, the path comes beside fs.ErrNotExist.
func (m *Mem) lookup(p Path) (*memNode, Path, error) {
	if p == "" || p[0] != '/' {
		return nil, "", fs.ErrInvalid
	}
	q, _, err := follow(p, m.describe)
	if err != nil {
		return nil, q, err
	}
	n, err := m.at(q)
	return n, q, err
}

// parent returns the directory that holds p itself.
func (m *Mem) parent(p Path) (*memNode, error) {
	n, _, err := m.lookup(p.Dir())
	switch {
	case err != nil:
		return nil, err
	case !n.mode.IsDir():
		return nil, ErrNotDirectory
	case n.gone:
		return nil, fs.ErrNotExist
	case len(p.Base()) > MaxName:
		return nil, ErrNameTooLong
	}
	return n, nil
}

// place returns where p, a path without links, is or would be.
func (m *Mem) place(p Path) memPlace {
	dir, _ := m.at(p.Dir())
	return memPlace{dir: dir, name: p.Base()}
}

// child returns p itself and the directory that holds it.
func (m *Mem) child(p Path) (dir, n *memNode, err error) {
	if dir, err = m.parent(p); err != nil {
		return nil, nil, err
	}
	if n = dir.entries[p.Base()]; n == nil {
		return nil, nil, fs.ErrNotExist
	}
	return dir, n, nil
}

// memFail says which operation on which path an error is about.
func memFail(op string, p Path, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: string(p), Err: err}
}

// Open implements [FS].
func (m *Mem) Open(p Path) (File, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, q, err := m.lookup(p)
	switch {
	case err != nil:
		return nil, memFail("open", p, err)
	case n.mode.IsDir():
		return nil, memFail("open", p, ErrIsDirectory)
	}
	return &memFile{Reader: bytes.NewReader(n.data), info: n.info(q.Base())}, nil
}

// memFile is an open file: what it held when it was opened.
type memFile struct {
	*bytes.Reader
	info Info
}

// Close implements [File].
func (f *memFile) Close() error { return nil }

// Stat implements [File].
func (f *memFile) Stat() (fs.FileInfo, error) { return fileInfo{f.info}, nil }

// fileInfo makes an Info an fs.FileInfo.
type fileInfo struct{ info Info }

func (i fileInfo) Name() string       { return i.info.Name }
func (i fileInfo) Size() int64        { return i.info.Size }
func (i fileInfo) Mode() fs.FileMode  { return i.info.Mode }
func (i fileInfo) ModTime() time.Time { return i.info.ModTime }
func (i fileInfo) IsDir() bool        { return i.info.IsDir() }
func (i fileInfo) Sys() any           { return i.info }

// Stat implements [FS].
func (m *Mem) Stat(p Path) (Info, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, _, err := m.lookup(p)
	if err != nil {
		return Info{}, memFail("stat", p, err)
	}
	return n.info(p.Base()), nil
}

// Lstat implements [FS].
func (m *Mem) Lstat(p Path) (Info, error) {
	if p == Root {
		return m.Stat(p)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, n, err := m.child(p)
	if err != nil {
		return Info{}, memFail("lstat", p, err)
	}
	return n.info(p.Base()), nil
}

// ReadDir implements [FS].
func (m *Mem) ReadDir(p Path) (Dir, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, _, err := m.lookup(p)
	switch {
	case err != nil:
		return nil, memFail("list", p, err)
	case !n.mode.IsDir():
		return nil, memFail("list", p, ErrNotDirectory)
	}
	names := make([]string, 0, len(n.entries))
	for name := range n.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return &memDir{m: m, n: n, names: names}, nil
}

// memDir is an open directory: the names that it held when it was opened.
type memDir struct {
	m     *Mem
	n     *memNode
	names []string
}

// Next implements [Dir].
func (d *memDir) Next(n int) ([]Info, error) {
	d.m.mu.RLock()
	defer d.m.mu.RUnlock()
	var infos []Info
	for len(infos) < max(n, 1) && len(d.names) > 0 {
		name := d.names[0]
		d.names = d.names[1:]
		if entry := d.n.entries[name]; entry != nil {
			infos = append(infos, entry.info(name))
		}
	}
	if len(infos) == 0 {
		return nil, io.EOF
	}
	return infos, nil
}

// Close implements [Dir].
func (d *memDir) Close() error {
	d.names = nil
	return nil
}
