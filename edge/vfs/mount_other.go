//go:build !linux

package vfs

import "errors"

// mount tells mounts of the host apart, which is done on Linux alone; there is none
// here.
type mount struct{}

// mountOf says that this cannot be told.
func mountOf(osFile) (*mount, error) { return nil, errors.ErrUnsupported }

// admitOr refuses nothing.
func (*mount) admitOr(f osFile, err error) (osFile, error) { return f, err }

// elsewhere refuses nothing.
func (*folder) elsewhere(string) error { return nil }

// statHere is never reached.
func (*Disk) statHere(Path) (Info, error) { return Info{}, errors.ErrUnsupported }
