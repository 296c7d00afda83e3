package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// Mem is a filesystem in memory. It implements [FS], [Writer], [Chmodder],
// [Chtimer] and [Partials] with the rules of [Disk], and is safe for concurrent
// use. It is meant for tests and for trees that need not last; it has no limits
// and asks no permissions of modes.
type Mem struct {
	mu       sync.RWMutex
	root     *memNode
	last     uint64 // inode number
	partials map[string]map[Path]*memPartial
	writers  map[*memNode]bool // files that are being appended to
}

// memNode is a file, directory or symbolic link. The bytes of a file are never
// changed once they can be seen, so that open files need no lock.
type memNode struct {
	mode    fs.FileMode
	modTime time.Time
	inode   uint64
	data    []byte
	target  string
	entries map[string]*memNode
}

// NewMem returns an empty filesystem.
func NewMem() *Mem {
	m := &Mem{partials: make(map[string]map[Path]*memPartial), writers: make(map[*memNode]bool)}
	m.root = m.node(fs.ModeDir | 0o755)
	m.root.entries = make(map[string]*memNode)
	return m
}

// node makes a node that is nowhere yet.
func (m *Mem) node(mode fs.FileMode) *memNode {
	m.last++
	return &memNode{mode: mode, modTime: time.Now(), inode: m.last}
}

// info describes the node under a name.
func (n *memNode) info(name string) Info {
	info := Info{Name: name, Size: int64(len(n.data)), Mode: n.mode, ModTime: n.modTime,
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
	case len(p.Base()) > MaxName:
		return nil, ErrNameTooLong
	}
	return n, nil
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

// Symlink makes a symbolic link at p that says target. It checks nothing about
// target.
func (m *Mem) Symlink(target string, p Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _, err := m.child(p)
	if err == nil {
		return memFail("symlink", p, fs.ErrExist)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return memFail("symlink", p, err)
	}
	dir, err := m.parent(p)
	if err != nil {
		return memFail("symlink", p, err)
	}
	n := m.node(fs.ModeSymlink | 0o777)
	n.target = target
	dir.entries[p.Base()] = n
	return nil
}

// WriteFile makes or replaces the file p, with mode 0644, and every directory
// above it that is missing.
func (m *Mem) WriteFile(p Path, data []byte) error {
	if p != Root && p.Dir() != Root {
		if err := m.mkdirAll(p.Dir()); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, q, err := m.lookup(p)
	switch {
	case err == nil && n.mode.IsDir():
		return memFail("write", p, ErrIsDirectory)
	case err != nil && (q == "" || !errors.Is(err, fs.ErrNotExist)):
		return memFail("write", p, err)
	}
	dir, err := m.parent(q)
	if err != nil {
		return memFail("write", p, err)
	}
	fresh := m.node(0o644)
	fresh.data = bytes.Clone(data)
	dir.entries[q.Base()] = fresh
	return nil
}

// mkdirAll makes p and what is missing above it.
func (m *Mem) mkdirAll(p Path) error {
	if info, err := m.Stat(p); err == nil && info.IsDir() {
		return nil
	}
	if err := m.mkdirAll(p.Dir()); err != nil {
		return err
	}
	return m.Mkdir(p)
}
