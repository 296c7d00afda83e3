//go:build unix

package main

import "golang.org/x/sys/unix"

// mayWrite reports whether names can be made in a directory.
func mayWrite(dir string) bool {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
}
