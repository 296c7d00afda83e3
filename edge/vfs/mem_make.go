package vfs

import (
	"bytes"
	"errors"
	"io/fs"
)

// Sub implements [Subber]; the FS is a *Mem, which need not be closed. It follows
// its directory when that is renamed, and takes nothing more when it is removed.
func (m *Mem) Sub(dir Path) (FS, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, _, err := m.lookup(dir)
	if err == nil && !n.mode.IsDir() {
		err = ErrNotDirectory
	}
	if err != nil {
		return nil, memFail("open", dir, err)
	}
	return &Mem{memTree: m.memTree, root: n, umask: m.umask}, nil
}

// Space implements [Spacer]. It returns what SetSpace was given, 1 TiB before.
func (m *Mem) Space(p Path) (int64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, _, err := m.lookup(p)
	if err == nil && !n.mode.IsDir() {
		err = ErrNotDirectory
	}
	if err != nil {
		return 0, memFail("space", p, err)
	}
	return m.space, nil
}

// SetSpace says what Space is to return. It limits nothing.
func (m *Mem) SetSpace(free int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.space = free
}

// Symlink implements [Symlinker].
func (m *Mem) Symlink(target string, p Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return memFail("symlink", p, m.symlink(p, func(dir Path) (string, error) {
		return linkText(target, dir, m.describe)
	}))
}

// WriteLink makes a symbolic link at p that says target, as somebody beside the
// server could: it checks nothing about target.
func (m *Mem) WriteLink(target string, p Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return memFail("symlink", p, m.symlink(p, func(Path) (string, error) { return target, nil }))
}

// symlink makes a link that says what text returns for its directory.
func (m *Mem) symlink(p Path, text func(dir Path) (string, error)) error {
	if p == Root {
		return fs.ErrExist
	}
	dir, err := m.parent(p)
	if err != nil {
		return err
	}
	if dir.entries[p.Base()] != nil {
		return fs.ErrExist
	}
	_, where, err := m.lookup(p.Dir())
	if err != nil {
		return err
	}
	n := m.node(fs.ModeSymlink | 0o777)
	if n.target, err = text(where); err != nil {
		return err
	}
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
