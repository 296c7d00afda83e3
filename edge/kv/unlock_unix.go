//go:build unix && !solaris && !aix

package kv

import (
	"os"
	"syscall"
)

// unlock gives back the lock that bbolt has on its file.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
