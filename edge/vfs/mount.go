package vfs

import (
	"errors"
	"fmt"
	"io/fs"
)

// Mounts says what becomes of other filesystems that are mounted below the root.
type Mounts int

// What may become of them. The zero value serves them.
const (
	// MountsServe serves them like all else below the root.
	MountsServe Mounts = iota
	// MountsRefuse serves the mount of the root alone, and refuses with
	// ErrCrossDevice whatever lies on another one: other filesystems, and parts of
	// the same one that are bound to another place (mount --bind). What something
	// is mounted on is in no listing. Every file is asked where it lies when it is
	// open, so nobody who mounts or renames meanwhile gets between. Linux only;
	// OpenDisk fails with errors.ErrUnsupported elsewhere. Before Linux 5.8 bind
	// mounts are served all the same.
	//
	// Such a Disk still walks over a mount that it refuses, as when it looks at a
	// path that leads through it, and so wakes what is mounted by being looked at.
	MountsRefuse
)

// confine makes a Disk refuse every mount but that of its root, if it is to.
func (d *Disk) confine() error {
	if d.cfg.Mounts != MountsRefuse {
		return nil
	}
	on, err := mountOfRoot(d.root)
	if err != nil {
		return fmt.Errorf("find out what the served directory is mounted on: %w", err)
	}
	d.mount = on
	return nil
}

// mountOfRoot returns the mount on which an open directory lies.
func mountOfRoot(root osRoot) (*mount, error) {
	f, err := root.OpenFile(".", directoryFlags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return mountOf(f)
}

// admitRoot refuses an open directory that lies on a mount that is not served.
func (d *Disk) admitRoot(root osRoot) error {
	if d.mount == nil {
		return nil
	}
	f, err := root.OpenFile(".", placeFlags, 0)
	if f, err = d.mount.admitOr(f, err); err != nil {
		return err
	}
	return f.Close()
}

// veil returns the reason why p is refused. Of what lies on a mount that is not
// served, nobody learns whether it exists.
func (d *Disk) veil(p Path, reason error) error {
	if d.mount == nil {
		return reason
	}
	for _, tells := range []error{fs.ErrNotExist, fs.ErrPermission, ErrNotDirectory, ErrEscapes, ErrLoop} {
		if !errors.Is(reason, tells) {
			continue
		}
		err := d.run(func() error {
			_, _, err := follow(p, d.lstat)
			return err
		})
		if errors.Is(d.reason(err), ErrCrossDevice) {
			return ErrCrossDevice
		}
		return reason
	}
	return reason
}
