package vfs

import (
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// below is the short way to what lies below an open directory: openat2(2) walks a
// path in the kernel, where os.Root makes two calls for each component. It leads to
// the same files, by the same rules: no symbolic link and no ".." leaves the
// directory, and those of /proc that are none are not followed. Whatever it does not
// lead to, for whatever reason, os.Root is asked for, so that there is one way of
// saying no; a kernel or a filter that does not have the call costs no more than
// that. A nil below leads nowhere, and neither does a path of one component, which is
// one call for both.
type below struct {
	dir  *os.File
	conn syscall.RawConn // keeps the descriptor from being closed during a call
}

// openBelow makes the short way to what lies in root; nil if there is none.
func openBelow(root osRoot) *below {
	if root.g.probe != nil {
		return nil // it is to see every call
	}
	f, err := root.OpenFile(".", placeFlags, 0)
	if err != nil {
		return nil
	}
	dir := f.f
	b := &below{dir: dir}
	if b.conn, err = dir.SyscallConn(); err == nil {
		var fd int
		if fd, err = b.open(".", unix.O_PATH); err == nil {
			_ = unix.Close(fd)
			return b
		}
	}
	_ = dir.Close()
	return nil
}

// short reports whether the way to p is shorter.
func (b *below) short(p Path) bool { return b != nil && strings.Contains(p.Rel(), "/") }

func (b *below) close() {
	if b != nil {
		_ = b.dir.Close()
	}
}

// open returns a descriptor, which is the caller's to close.
func (b *below) open(name string, flag uint64) (fd int, err error) {
	how := unix.OpenHow{Flags: flag | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	failed := b.conn.Control(func(dir uintptr) { fd, err = unix.Openat2(int(dir), name, &how) })
	if failed != nil {
		return -1, failed
	}
	return fd, err
}

// openFile opens what p leads to, the last link followed, with flags that make
// nothing.
func (d *Disk) openFile(p Path, flag int) (osFile, error) {
	if d.below.short(p) {
		if fd, err := d.below.open(p.Rel(), uint64(flag)); err == nil {
			return osFile{os.NewFile(uintptr(fd), string(p)), d.gate}, nil
		}
	}
	return d.root.OpenFile(p.Rel(), flag, 0)
}

// describeBelow describes what p leads to or, with O_NOFOLLOW, what it is; false if
// os.Root has to say.
func (d *Disk) describeBelow(p Path, links uint64) (Info, bool) {
	if !d.below.short(p) {
		return Info{}, false
	}
	fd, err := d.below.open(p.Rel(), unix.O_PATH|links)
	if err != nil {
		return Info{}, false
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH, statxMask, &st)
	if err == nil {
		err = d.mount.admitStat(&st)
	}
	if err != nil {
		return Info{}, false
	}
	info := infoOfStatx(p.Base(), &st)
	if info.Mode&fs.ModeSymlink != 0 {
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fd, "", target)
		if err != nil {
			return Info{}, false
		}
		info.Target = string(target[:n])
	}
	return info, true
}
