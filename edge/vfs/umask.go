package vfs

import "io/fs"

// Masker is an FS in which what new files and directories may not be is a matter of
// whoever makes them.
type Masker interface {
	// Masked returns a view of the same files in which umask is taken from the mode of new
	// files (0666) and directories (0777); zero takes nothing. It has every ability that
	// the filesystem itself has, lives no longer than it, and need not be closed.
	Masked(umask fs.FileMode) FS
}

// Masked implements [Masker]; the FS is a *Disk that shares the root of d, and closing it
// does nothing.
func (d *Disk) Masked(umask fs.FileMode) FS {
	return &Disk{shared: d.shared, root: d.root, below: d.below, base: d.base, as: d.as, umask: umask & fs.ModePerm, lent: true}
}

// Masked implements [Masker]; the FS is a *Mem.
func (m *Mem) Masked(umask fs.FileMode) FS {
	return &Mem{memTree: m.memTree, root: m.root, umask: umask & fs.ModePerm}
}
