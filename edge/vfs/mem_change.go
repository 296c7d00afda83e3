package vfs

import (
	"errors"
	"io/fs"
	"time"
)

// Mkdir implements [Writer].
func (m *Mem) Mkdir(p Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p == Root {
		return memFail("mkdir", p, fs.ErrExist)
	}
	dir, err := m.parent(p)
	if err != nil {
		return memFail("mkdir", p, err)
	}
	if dir.entries[p.Base()] != nil {
		return memFail("mkdir", p, fs.ErrExist)
	}
	n := m.node(fs.ModeDir | 0o777&^m.umask)
	n.entries = make(map[string]*memNode)
	dir.entries[p.Base()] = n
	return nil
}

// Rmdir implements [Writer].
func (m *Mem) Rmdir(p Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p == Root {
		return memFail("rmdir", p, ErrRoot)
	}
	dir, n, err := m.child(p)
	switch {
	case err != nil:
		return memFail("rmdir", p, err)
	case !n.mode.IsDir():
		return memFail("rmdir", p, ErrNotDirectory)
	case len(n.entries) > 0:
		return memFail("rmdir", p, ErrNotEmpty)
	}
	delete(dir.entries, p.Base())
	n.gone = true
	for _, kept := range m.partials {
		for at := range kept {
			if at.dir == n {
				delete(kept, at)
			}
		}
	}
	return nil
}

// Remove implements [Writer].
func (m *Mem) Remove(p Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p == Root {
		return memFail("remove", p, ErrIsDirectory)
	}
	dir, n, err := m.child(p)
	switch {
	case err != nil:
		return memFail("remove", p, err)
	case n.mode.IsDir():
		return memFail("remove", p, ErrIsDirectory)
	}
	delete(dir.entries, p.Base())
	return nil
}

// Rename implements [Writer].
func (m *Mem) Rename(from, to Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return memFail("rename", from, m.rename(from, to))
}

func (m *Mem) rename(from, to Path) error {
	switch {
	case from == Root || to == Root:
		return ErrRoot
	case from != to && to.Within(from):
		return fs.ErrInvalid
	}
	dir, n, err := m.child(from)
	if err != nil {
		return err
	}
	into, old, err := m.child(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if into, err = m.parent(to); err != nil {
			return err
		}
	case err != nil:
		return err
	case old == n:
		return nil
	case old.mode.IsDir():
		return fs.ErrExist
	case n.mode.IsDir():
		return ErrNotDirectory
	}
	if n.mode.IsDir() && n.holds(into) {
		return fs.ErrInvalid
	}
	delete(dir.entries, from.Base())
	into.entries[to.Base()] = n
	for owner := range m.partials {
		m.forget(owner, memPlace{into, to.Base()})
	}
	return nil
}

// holds reports whether other is n or below it.
func (n *memNode) holds(other *memNode) bool {
	if n == other {
		return true
	}
	for _, entry := range n.entries {
		if entry.holds(other) {
			return true
		}
	}
	return false
}

// Chmod implements [Chmodder].
func (m *Mem) Chmod(p Path, mode fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, _, err := m.lookup(p)
	if err != nil {
		return memFail("chmod", p, err)
	}
	n.mode = n.mode&fs.ModeType | mode.Perm()
	return nil
}

// Chtimes implements [Chtimer]. The time of access is not kept.
func (m *Mem) Chtimes(p Path, _, mtime time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, _, err := m.lookup(p)
	if err != nil {
		return memFail("chtimes", p, err)
	}
	if !mtime.IsZero() {
		n.modTime = mtime
	}
	return nil
}

// SetBirth implements [Birther].
func (m *Mem) SetBirth(p Path, t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, _, err := m.lookup(p)
	if err != nil {
		return memFail("birth", p, err)
	}
	n.birth = t
	return nil
}
