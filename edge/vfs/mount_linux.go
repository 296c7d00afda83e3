package vfs

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// mount is the one mount of the host that a Disk with MountsRefuse serves: that of
// its root. The kernel's number for it tells bind mounts of one filesystem apart; it
// cannot become another mount's while the root is open. A kernel before 5.8, or a
// filter that does not know statx(2), tells the device alone.
//
// A nil mount allows them all, and asks nothing.
type mount struct {
	id   uint64
	isID bool // id is the mount's, not the device's
}

// mountOf returns the mount on which an open file lies.
func mountOf(f osFile) (*mount, error) { return mountOfSpot(spot{f: f}) }

func mountOfSpot(f spot) (*mount, error) {
	var st unix.Statx_t
	err := f.at(osCall{Op: "stat"}, func(fd int) error {
		return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st)
	})
	if err == nil && st.Mask&unix.STATX_MNT_ID != 0 {
		return &mount{id: st.Mnt_id, isID: true}, nil
	}
	var old unix.Stat_t
	if err := f.at(osCall{Op: "stat"}, func(fd int) error { return unix.Fstat(fd, &old) }); err != nil {
		return nil, err
	}
	return &mount{id: uint64(old.Dev)}, nil
}

// admitDeviceOf refuses an open file that lies on another device.
func (m *mount) admitDeviceOf(f spot) error {
	var st unix.Stat_t
	if err := f.at(osCall{Op: "stat"}, func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return err
	}
	return m.admitDevice(uint64(st.Dev))
}

// admit refuses an open file that lies elsewhere. It is asked of the file that was
// opened, so it does not matter what is mounted or moved meanwhile.
func (m *mount) admit(f osFile) error { return m.admitSpot(spot{f: f}) }

func (m *mount) admitSpot(f spot) error {
	if m == nil {
		return nil
	}
	if !m.isID {
		return m.admitDeviceOf(f)
	}
	on, err := mountOfSpot(f)
	if err == nil && *on != *m {
		err = unix.EXDEV
	}
	return err
}

// admitStat refuses what was described and lies elsewhere.
func (m *mount) admitStat(st *unix.Statx_t) error {
	switch {
	case m == nil:
	case !m.isID:
		return m.admitDevice(unix.Mkdev(st.Dev_major, st.Dev_minor))
	case st.Mask&unix.STATX_MNT_ID == 0 || st.Mnt_id != m.id:
		return unix.EXDEV
	}
	return nil
}

// admitDevice does the same where only the device is known, which says nothing of
// a mount that is told by its number.
func (m *mount) admitDevice(dev uint64) error {
	if m != nil && (m.isID || dev != m.id) {
		return unix.EXDEV
	}
	return nil
}

// admitOr closes a file that is refused.
func (m *mount) admitOr(f osFile, err error) (osFile, error) {
	if err != nil {
		return osFile{}, err
	}
	if err := m.admit(f); err != nil {
		_ = f.Close()
		return osFile{}, err
	}
	return f, nil
}

// elsewhere refuses the entry name if something is mounted on it. It is for the
// words of an answer: the kernel itself neither removes nor renames such an entry.
func (fo *folder) elsewhere(name string) error {
	if fo.mount == nil {
		return nil
	}
	if _, err := fo.lstat(name); err == unix.EXDEV {
		return err
	}
	return nil
}

// statHere is Stat for a Disk that serves one mount: what p leads to is described
// and found to be on it by one system call.
func (d *Disk) statHere(p Path) (Info, error) {
	info, err := d.lstat(p)
	if err == nil && info.Mode&fs.ModeSymlink != 0 {
		_, info, err = follow(p, d.lstat)
	}
	switch {
	case err != nil:
		return Info{}, err
	case info.Mode&fs.ModeSymlink != 0:
		return Info{}, ErrBusy // put there after it was followed
	}
	info.Name, info.Birth = p.Base(), time.Time{}
	return info, nil
}
