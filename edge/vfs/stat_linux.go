package vfs

import (
	"io/fs"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// lstatBirth is lstat with the time of birth. It looks at the name in its
// directory, because only statx(2) knows that, and os.Root does not ask it.
func (d *Disk) lstatBirth(p Path) (Info, error) {
	if info, found := d.describeBelow(p, noFollow); found {
		return info, nil
	}
	f, err := d.mount.admitOr(d.openFile(p.Dir(), placeFlags))
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	defer runtime.KeepAlive(f)
	if p != Root {
		return describeAt(d.mount, int(f.Fd()), p.Base(), 0)
	}
	info, err := statAt(d.mount, int(f.Fd()), "", unix.AT_EMPTY_PATH)
	info.Name = p.Base()
	return info, err
}

// describeAt describes an entry of an open directory, with what a symbolic link
// says. With AT_EMPTY_PATH and an empty name it is what is open itself.
func describeAt(m *mount, dir int, name string, flags int) (Info, error) {
	info, err := statAt(m, dir, name, flags)
	if err != nil || info.Mode&fs.ModeSymlink == 0 {
		return info, err
	}
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, target)
	if err == unix.EINVAL { // another file by now
		err = unix.ENOENT
	}
	if err != nil {
		return Info{}, err
	}
	info.Target = string(target[:n])
	return info, nil
}

// statAt describes an entry of an open directory. It is one system call, as
// fstatat(2) would be, and hardly slower (a listing takes 5 percent longer), so
// entries have their time of birth as well. What does not lie on m is unix.EXDEV.
func statAt(m *mount, dir int, name string, flags int) (Info, error) {
	flags |= unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	var st unix.Statx_t
	err := unix.Statx(dir, name, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME|unix.STATX_MNT_ID, &st)
	if err == unix.ENOSYS || err == unix.EPERM { // an old kernel, or a filter that does not know it
		return statAtOld(m, dir, name, flags)
	}
	if err == nil {
		err = m.admitStat(&st)
	}
	if err != nil {
		return Info{}, err
	}
	info := Info{
		Name: name, Size: int64(st.Size), Mode: modeFromStat(uint32(st.Mode)), ModTime: timeOf(st.Mtime),
		Links: uint64(st.Nlink), UID: st.Uid, GID: st.Gid, Dev: unix.Mkdev(st.Dev_major, st.Dev_minor), Inode: st.Ino,
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		info.Birth = timeOf(st.Btime)
	}
	return info, nil
}

func timeOf(t unix.StatxTimestamp) time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }

// statAtOld is statAt without the time of birth.
func statAtOld(m *mount, dir int, name string, flags int) (Info, error) {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, flags)
	if err == nil {
		err = m.admitDevice(uint64(st.Dev))
	}
	if err != nil {
		return Info{}, err
	}
	return Info{
		Name: name, Size: st.Size, Mode: modeFromStat(st.Mode), ModTime: time.Unix(st.Mtim.Unix()),
		Links: uint64(st.Nlink), UID: st.Uid, GID: st.Gid, Dev: uint64(st.Dev), Inode: st.Ino,
	}, nil
}

// modeFromStat turns the kernel's mode bits into those of io/fs.
func modeFromStat(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits & 0o777)
	switch bits & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	default:
		mode |= fs.ModeIrregular
	}
	if bits&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if bits&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if bits&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}
