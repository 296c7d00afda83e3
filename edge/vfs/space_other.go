//go:build !linux

package vfs

import "errors"

func (*Disk) space(Path) (int64, error) { return 0, errors.ErrUnsupported }
