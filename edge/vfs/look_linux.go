package vfs

import (
	"io/fs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// looker does what describeAt does for many entries of one directory, with less
// around each system call: one buffer for all names and one for all answers, where
// unix.Statx makes a copy of each name on the heap. On tmpfs that is 0.51
// microseconds of CPU an entry instead of 0.59, of which the kernel takes 0.49, and
// no garbage. It is the only use of package unsafe in the filesystem: what a system
// call's arguments need. Without it, and where a probe is to see each call,
// describeAt looks.
type looker struct {
	mount *mount
	dir   osFile
	fd    int // of dir, which whoever has the looker keeps open
	st    unix.Statx_t
	name  [unix.NAME_MAX + 1]byte
}

// describe describes the entry of a name, which has no NUL.
func (l *looker) describe(name string, info *Info) (err error) {
	if len(name) >= len(l.name) {
		*info, err = describeAt(l.mount, l.dir, name)
		return err
	}
	l.name[copy(l.name[:], name)] = 0
	no := unix.EINTR
	for no == unix.EINTR {
		_, _, no = unix.Syscall6(unix.SYS_STATX, uintptr(l.fd), uintptr(unsafe.Pointer(&l.name)),
			unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, statxMask, uintptr(unsafe.Pointer(&l.st)), 0)
	}
	switch no {
	case 0:
	case unix.ENOSYS, unix.EPERM: // an old kernel, or a filter that does not know it
		*info, err = describeAt(l.mount, l.dir, name)
		return err
	default:
		return no
	}
	if err := l.mount.admitStat(&l.st); err != nil {
		return err
	}
	*info = infoOfStatx(name, &l.st)
	if info.Mode&fs.ModeSymlink != 0 {
		return info.readTarget(l.dir)
	}
	return nil
}
