//go:build !linux

package vfs

import (
	"errors"
	"os"
)

// mount tells mounts of the host apart, which is done on Linux alone; there is none
// here.
type mount struct{}

// mountOf says that this cannot be told.
func mountOf(*os.File) (*mount, error) { return nil, errors.ErrUnsupported }

// admitOr refuses nothing.
func (*mount) admitOr(f *os.File, err error) (*os.File, error) { return f, err }

// elsewhere refuses nothing.
func (*folder) elsewhere(string) error { return nil }

// statHere is never reached.
func (*Disk) statHere(Path) (Info, error) { return Info{}, errors.ErrUnsupported }
