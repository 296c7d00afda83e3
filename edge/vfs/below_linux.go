package vfs

import (
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// below is the short way to what lies below an open directory: openat2(2) walks a
// path in the kernel, where os.Root makes two calls for each component. It leads to
// the same files, by the same rules: no symbolic link and no ".." leaves the
// directory, and those of /proc that are none are not followed. Whatever it does not
// lead to, os.Root is asked for, so that there is one way of saying no; a kernel or a
// filter that does not have the call costs no more than that. Only that there is nothing
// is believed of a description: each upload of a new file that policies judge asks for
// it twice, and os.Root would say the same 6.5 us later. A nil below leads nowhere.
//
// What it opens for a moment stays a bare descriptor. Package os would ask the kernel
// for its flags, offer it to the poller, which takes no file and no directory, and
// give it a finalizer: three calls and some 300 bytes more than the two calls that
// are needed.
type below struct {
	fd int
	// uses is one for each call under way, and one until close: the number of the
	// descriptor must not become another directory's during a call.
	uses   atomic.Int64
	closed atomic.Bool // no call begins any more
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
	defer f.Close()
	fd, err := openat2(int(f.f.Fd()), ".", placeFlags)
	if err != nil {
		return nil
	}
	b := &below{fd: fd}
	b.uses.Store(1)
	return b
}

// enter begins a call, unless b is closed or nil.
func (b *below) enter() bool {
	if b == nil {
		return false
	}
	for n := b.uses.Load(); n > 0 && !b.closed.Load(); n = b.uses.Load() {
		if b.uses.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

func (b *below) leave() {
	if b.uses.Add(-1) == 0 {
		_ = unix.Close(b.fd)
	}
}

// close ends b with the last call under way; closing it again does nothing.
func (b *below) close() {
	if b != nil && !b.closed.Swap(true) {
		b.leave()
	}
}

// open returns a descriptor, which is the caller's to close.
func (b *below) open(name string, flag int) (fd int, err error) {
	if !b.enter() {
		return -1, fs.ErrClosed
	}
	defer b.leave()
	return openat2(b.fd, name, flag)
}

func openat2(dir int, name string, flag int) (fd int, err error) {
	return unix.Openat2(dir, name, &unix.OpenHow{
		Flags: uint64(flag) | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS})
}

// lstat describes an entry of the directory itself in one call.
func (b *below) lstat(name string, st *unix.Statx_t) error {
	if !b.enter() {
		return fs.ErrClosed
	}
	defer b.leave()
	return unix.Statx(b.fd, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, statxMask, st)
}

// openFile opens what p leads to, the last link followed, with flags that make
// nothing.
func (d *Disk) openFile(p Path, flag int) (osFile, error) {
	if flag&unix.O_DIRECTORY != 0 && d.below != nil {
		if fd, err := d.below.open(p.Rel(), flag&^unix.O_NONBLOCK); err == nil { // which no directory needs
			return osFile{os.NewFile(uintptr(fd), string(p)), d.gate}, nil
		}
	}
	return d.root.OpenFile(p.Rel(), flag, 0)
}

// openBelow opens a regular file, or a directory too if dirs is set; false if os.Root
// has to say. The file is an ordinary blocking one before package os has it, which
// then does not offer it to the poller.
func (d *Disk) openBelow(p Path, flag int, dirs bool) (osFile, bool) {
	if d.below == nil {
		return osFile{}, false
	}
	fd, err := d.below.open(p.Rel(), flag|openFlags)
	if err != nil {
		return osFile{}, false
	}
	var st unix.Statx_t
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE|unix.STATX_MNT_ID, &st)
	if err == nil {
		err = d.mount.admitStat(&st)
	}
	kind := uint32(st.Mode & unix.S_IFMT)
	if err == nil && (kind == unix.S_IFREG || kind == unix.S_IFDIR && dirs) {
		// Of the flags that this changes, only O_NONBLOCK is set.
		if _, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0); err == nil {
			return osFile{os.NewFile(uintptr(fd), string(p)), d.gate}, true
		}
	}
	_ = unix.Close(fd)
	return osFile{}, false
}

// describeBelow describes what p leads to or, with O_NOFOLLOW, what it is; errUnsure if
// os.Root has to say.
func (d *Disk) describeBelow(p Path, links int) (Info, error) {
	if d.below == nil {
		return Info{}, errUnsure
	}
	var st unix.Statx_t
	if name := p.Rel(); p != Root && !strings.Contains(name, "/") {
		err := d.below.lstat(name, &st)
		if err == nil {
			err = d.mount.admitStat(&st)
		}
		if err != nil {
			return Info{}, d.unsure(err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			return infoOfStatx(name, &st), nil
		}
	}
	fd, err := d.below.open(p.Rel(), unix.O_PATH|links)
	if err != nil {
		return Info{}, d.unsure(err)
	}
	defer unix.Close(fd)
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH, statxMask, &st)
	if err == nil {
		err = d.mount.admitStat(&st)
	}
	if err != nil {
		return Info{}, errUnsure
	}
	info := infoOfStatx(p.Base(), &st)
	if info.Mode&fs.ModeSymlink != 0 {
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fd, "", target)
		if err != nil {
			return Info{}, errUnsure
		}
		info.Target = string(target[:n])
	}
	return info, nil
}

// unsure is what the error of a look says: that there is nothing, or too little. Where
// mounts end what is served, there may be something that does not count.
func (d *Disk) unsure(err error) error {
	if err == unix.ENOENT && d.mount == nil {
		return err
	}
	return errUnsure
}

// spot is an open directory, as a bare descriptor or, where the short way did not
// lead there, as a file of package os. Whoever opens one must close it: nothing else
// does.
type spot struct {
	f  osFile
	fd int // if f is none
	g  *gate
}

// openSpot opens the directory p, which must lie on m.
func (d *Disk) openSpot(m *mount, p Path) (spot, error) {
	if d.below != nil {
		if fd, err := d.below.open(p.Rel(), unix.O_RDONLY|unix.O_DIRECTORY); err == nil {
			s := spot{fd: fd, g: d.gate}
			if m.admitSpot(s) == nil {
				return s, nil
			}
			s.close()
		}
	}
	f, err := m.admitOr(d.root.OpenFile(p.Rel(), directoryFlags, 0))
	return spot{f: f, g: d.gate}, err
}

// at makes one call with the descriptor.
func (s spot) at(c osCall, fn func(fd int) error) error {
	if s.f.open() {
		return s.f.at(c, fn)
	}
	return s.g.do(c, func() error { return fn(s.fd) })
}

// number is the descriptor, for calls with more than one; keep belongs behind them.
func (s spot) number() int {
	if s.f.open() {
		return int(s.f.f.Fd())
	}
	return s.fd
}

func (s spot) close() {
	if s.f.open() {
		_ = s.f.Close()
		return
	}
	_ = unix.Close(s.fd)
}

// file makes s a file of package os, which closes it.
func (s *spot) file(name Path) osFile {
	if !s.f.open() {
		s.f = osFile{os.NewFile(uintptr(s.fd), string(name)), s.g}
	}
	return s.f
}
