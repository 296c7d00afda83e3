package vfs

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// lstatBirth is lstat with the time of birth. It looks at the name in its
// directory, because only statx(2) knows that, and os.Root does not ask it.
func (d *Disk) lstatBirth(p Path) (Info, error) {
	if info, err := d.describeBelow(p, noFollow); err != errUnsure {
		return info, err
	}
	f, err := d.mount.admitOr(d.root.OpenFile(p.Dir().Rel(), placeFlags, 0))
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	if p != Root {
		return describeAt(d.mount, f, p.Base())
	}
	info, err := statIn(d.mount, spot{f: f}, "", unix.AT_EMPTY_PATH)
	info.Name = p.Base()
	return info, err
}

// describeAt describes an entry of an open directory, with what a symbolic link
// says.
func describeAt(m *mount, dir osFile, name string) (Info, error) {
	info, err := statIn(m, spot{f: dir}, name, 0)
	if err != nil || info.Mode&fs.ModeSymlink == 0 {
		return info, err
	}
	if err := info.readTarget(dir); err != nil {
		return Info{}, err
	}
	return info, nil
}

// readTarget fills in what a symbolic link of an open directory says.
func (i *Info) readTarget(dir osFile) error {
	target := make([]byte, unix.PathMax)
	var n int
	err := dir.at(osCall{Op: "readlink", Name: i.Name}, func(fd int) (err error) {
		n, err = unix.Readlinkat(fd, i.Name, target)
		return err
	})
	if err == unix.EINVAL { // another file by now
		return unix.ENOENT
	}
	i.Target = string(target[:max(n, 0)])
	return err
}

// statIn describes an entry of an open directory. It is one system call, as
// fstatat(2) would be, and hardly slower (a listing takes 5 percent longer), so
// entries have their time of birth as well. What does not lie on m is unix.EXDEV.
func statIn(m *mount, dir spot, name string, flags int) (Info, error) {
	flags |= unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	var st unix.Statx_t
	err := dir.at(osCall{Op: "stat", Name: name}, func(fd int) error {
		return unix.Statx(fd, name, flags, statxMask, &st)
	})
	if err == unix.ENOSYS || err == unix.EPERM { // an old kernel, or a filter that does not know it
		return statInOld(m, dir, name, flags)
	}
	if err == nil {
		err = m.admitStat(&st)
	}
	if err != nil {
		return Info{}, err
	}
	return infoOfStatx(name, &st), nil
}

// statxMask is what a description needs, and what says on which mount a file lies.
const statxMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME | unix.STATX_MNT_ID

func infoOfStatx(name string, st *unix.Statx_t) (info Info) {
	fillInfo(&info, name, st)
	return info
}

// fillInfo is infoOfStatx for a description that is used again and again.
func fillInfo(info *Info, name string, st *unix.Statx_t) {
	info.Name, info.Target, info.Size, info.Mode = name, "", int64(st.Size), modeFromStat(uint32(st.Mode))
	info.ModTime, info.Birth = timeOf(st.Mtime), time.Time{}
	info.Links, info.UID, info.GID = uint64(st.Nlink), st.Uid, st.Gid
	info.Dev, info.Inode = unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino
	if st.Mask&unix.STATX_BTIME != 0 {
		info.Birth = timeOf(st.Btime)
	}
}

func timeOf(t unix.StatxTimestamp) time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }

// statInOld is statIn without the time of birth.
func statInOld(m *mount, dir spot, name string, flags int) (Info, error) {
	var st unix.Stat_t
	err := dir.at(osCall{Op: "stat", Name: name}, func(fd int) error {
		return unix.Fstatat(fd, name, &st, flags)
	})
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
