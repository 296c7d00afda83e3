//go:build !linux

package vfs

import (
	"errors"
	"io/fs"
	"os"
)

// folder is an open directory in which an upload is staged and published. Its
// operations take single names and cannot leave it. That the directory still is
// where it was is for the caller to check (same).
type folder struct {
	root osRoot
	f    osFile
	fi   fs.FileInfo
	id   fileID
}

// placeFlags open a directory.
const placeFlags = directoryFlags

// noFollow has no meaning here.
const noFollow = 0

// openFolderOn is openFolder: there is one mount here.
func (d *Disk) openFolderOn(_ *mount, p Path) (*folder, error) { return d.openFolder(p) }

// openFolder opens the directory p through the root.
func (d *Disk) openFolder(p Path) (*folder, error) {
	root, err := d.root.OpenRoot(p.Rel())
	if err != nil {
		return nil, err
	}
	f, err := root.OpenFile(".", directoryFlags, 0)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close(), root.Close())
	}
	return &folder{root: root, f: f, fi: fi, id: idOf(infoOf(fi, p.Base()), p)}, nil
}

// enterFolder opens the directory p for one change of a name.
func (d *Disk) enterFolder(p Path) (*folder, error) { return d.openFolder(p) }

// same reports whether both are the same directory of the host.
func (fo *folder) same(other *folder) bool { return os.SameFile(fo.fi, other.fi) }

// removed is not asked here, where there are no unnamed files.
func (fo *folder) removed() bool { return false }

// createUnnamed makes a file without a name, where the filesystem can.
func (fo *folder) createUnnamed() (osFile, error) { return osFile{}, errors.ErrUnsupported }

// create makes a file that must not exist.
func (fo *folder) create(name string) (osFile, error) {
	return fo.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// open opens an existing regular file.
func (fo *folder) open(name string, flag int) (osFile, error) {
	if info, err := fo.lstat(name); err != nil {
		return osFile{}, err
	} else if !info.Mode.IsRegular() {
		return osFile{}, ErrSpecial
	}
	f, err := fo.root.OpenFile(name, flag|openFlags, 0)
	if err != nil {
		return osFile{}, err
	}
	if err := admit(f, false); err != nil {
		return osFile{}, errors.Join(err, f.Close())
	}
	return f, nil
}

// lstat describes the entry name.
func (fo *folder) lstat(name string) (Info, error) {
	fi, err := fo.root.Lstat(name)
	if err != nil {
		return Info{}, err
	}
	return infoOf(fi, name), nil
}

// writable says whether the entry name may be written to by this process; here
// the owner's bit must do.
func (fo *folder) writable(name string) error {
	info, err := fo.lstat(name)
	if err == nil && info.Mode&0o200 == 0 {
		return fs.ErrPermission
	}
	return err
}

// canNameLater reports whether an unnamed file could be given a name later.
func canNameLater(*gate) bool { return false }

// linkUnnamed is never reached: there are no unnamed files here.
func (fo *folder) linkUnnamed(osFile, string) error { return errors.ErrUnsupported }

// link gives a file a second name, which must not exist.
func (fo *folder) link(from, to string) error { return fo.root.Link(from, to) }

// rename moves an entry, over another one if there is one.
func (fo *folder) rename(from, to string) error { return fo.root.Rename(from, to) }

// unlink removes an entry that is not a directory.
func (fo *folder) unlink(name string) error {
	if info, err := fo.lstat(name); err != nil {
		return err
	} else if info.IsDir() {
		return ErrIsDirectory
	}
	return fo.root.Remove(name)
}

// rmdir removes an empty directory.
func (fo *folder) rmdir(name string) error {
	if info, err := fo.lstat(name); err != nil {
		return err
	} else if !info.IsDir() {
		return ErrNotDirectory
	}
	return fo.root.Remove(name)
}

// mkdir makes a directory.
func (fo *folder) mkdir(name string, mode fs.FileMode) error { return fo.root.Mkdir(name, mode) }

// symlink makes a symbolic link that says text.
func (fo *folder) symlink(text, name string) error { return fo.root.Symlink(text, name) }

// renameBetween moves a file or directory of one directory to another.
func (d *Disk) renameBetween(from, to Path) error { return d.root.Rename(from.Rel(), to.Rel()) }

// sync makes the names in the directory durable, where the host can.
func (fo *folder) sync() error {
	if err := fo.f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && openFlags != 0 {
		return err
	}
	return nil
}

// some returns up to n further names in the directory.
func (fo *folder) some(n int) ([]string, error) { return fo.f.Readdirnames(n) }

// keep has nothing to do: package os closes what is lost.
func (fo *folder) keep() {}

func (fo *folder) close() {
	_ = fo.f.Close()
	_ = fo.root.Close()
}

// anonymous returns root: files bear the host's path in their names here.
func anonymous(root osRoot) osRoot { return root }

// bootID identifies the time since the kernel was started; unknown here.
func bootID(*gate) string { return "" }
