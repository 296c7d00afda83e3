//go:build unix && !solaris && !aix

package spool

import (
	"errors"
	"os"
	"syscall"
)

// lock keeps other processes out until the directory is closed.
func lock(dir *os.File) error {
	err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}
