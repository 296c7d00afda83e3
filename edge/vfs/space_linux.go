package vfs

import (
	"math"
	"math/bits"

	"golang.org/x/sys/unix"
)

// space asks the filesystem that the directory p is on. The directory is opened as
// a mere place, which asks for no more rights than a look at it.
func (d *Disk) space(p Path) (int64, error) {
	f, err := d.mount.admitOr(d.openFile(p, placeFlags))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := f.at(osCall{Op: "statfs"}, func(fd int) error { return unix.Fstatfs(fd, &st) }); err != nil {
		return 0, err
	}
	unit := uint64(st.Frsize)
	if unit == 0 {
		unit = uint64(st.Bsize)
	}
	over, free := bits.Mul64(st.Bavail, unit)
	if over != 0 || free > math.MaxInt64 {
		return math.MaxInt64, nil
	}
	return int64(free), nil
}
