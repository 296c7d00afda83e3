package vfs

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// handle opens what p leads to, so that its attributes can be changed whatever
// happens to the name. A file that this process may neither read nor write is
// opened as a mere place (O_PATH), which needs no permission.
func (d *Disk) handle(p Path) (f osFile, place bool, err error) {
	if f, err = d.open(p, os.O_RDONLY, true); !errors.Is(err, fs.ErrPermission) {
		return f, false, err
	}
	if f, err = d.open(p, os.O_WRONLY, false); err == nil {
		return f, false, nil
	}
	q, _, err := follow(p, d.lstat)
	if err != nil {
		return osFile{}, false, err
	}
	if f, err = d.mount.admitOr(d.root.OpenFile(q.Rel(), unix.O_PATH, 0)); err != nil {
		return osFile{}, false, err
	}
	var st unix.Stat_t
	if err = f.at(osCall{Op: "stat"}, func(fd int) error { return unix.Fstat(fd, &st) }); err == nil {
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG, unix.S_IFDIR:
			return f, true, nil
		case unix.S_IFLNK:
			err = ErrBusy // put there after it was followed
		default:
			err = ErrSpecial
		}
	}
	_ = f.Close()
	return osFile{}, false, err
}

// chmod sets the permission bits of what p leads to, and no others.
func (d *Disk) chmod(p Path, mode fs.FileMode) error {
	f, place, err := d.handle(p)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := f.at(osCall{Op: "stat"}, func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return err
	}
	bits := uint32(mode.Perm())
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		bits |= st.Mode & (unix.S_ISUID | unix.S_ISGID | unix.S_ISVTX)
	}
	return f.at(osCall{Op: "chmod", Mode: mode.Perm()}, func(fd int) error {
		if place {
			return unix.Fchmodat(unix.AT_FDCWD, procName(fd), bits, 0)
		}
		return unix.Fchmod(fd, bits)
	})
}

// Chtimes implements [Chtimer].
func (d *Disk) Chtimes(p Path, atime, mtime time.Time) error {
	return d.fail("chtimes", p, d.run(func() error { return d.chtimes(p, atime, mtime) }))
}

func (d *Disk) chtimes(p Path, atime, mtime time.Time) error {
	times := make([]unix.Timespec, 2)
	for i, t := range []time.Time{atime, mtime} {
		var err error
		if times[i] = (unix.Timespec{Nsec: unix.UTIME_OMIT}); t.IsZero() {
			continue
		}
		if times[i], err = unix.TimeToTimespec(t); err != nil {
			return fs.ErrInvalid
		}
	}
	f, _, err := d.handle(p)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.at(osCall{Op: "utimes"}, func(fd int) error {
		err := unix.UtimesNanoAt(fd, "", times, unix.AT_EMPTY_PATH)
		if err == unix.EINVAL || err == unix.ENOENT { // a kernel before 5.8
			err = unix.UtimesNanoAt(unix.AT_FDCWD, procName(fd), times, 0)
		}
		return err
	})
}
