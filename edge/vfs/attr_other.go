//go:build !linux

package vfs

import (
	"errors"
	"io/fs"
	"time"
)

// chmod sets the permission bits of what p leads to, and no others. A file that
// cannot be opened is changed through the root.
func (d *Disk) chmod(p Path, mode fs.FileMode) error {
	info, err := d.plain(p)
	if err != nil {
		return err
	}
	bits := mode.Perm()
	if info.IsDir() {
		bits |= info.Mode & (fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	}
	f, err := d.open(p, 0, true)
	if err != nil {
		if !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return d.root.Chmod(p.Rel(), bits)
	}
	defer f.Close()
	return f.Chmod(bits)
}

// Chtimes implements [Chtimer].
func (d *Disk) Chtimes(p Path, atime, mtime time.Time) error {
	_, err := d.plain(p)
	if err == nil {
		err = d.root.Chtimes(p.Rel(), atime, mtime)
	}
	return d.fail("chtimes", p, err)
}

// plain describes what p leads to, if it is a regular file or a directory.
func (d *Disk) plain(p Path) (Info, error) {
	info, err := d.Stat(p)
	if err == nil && !info.IsDir() && !info.Mode.IsRegular() {
		err = ErrSpecial
	}
	return info, err
}
