//go:build unix

package identity

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// Owner returns the numbers of a file's user and group.
func Owner(info fs.FileInfo) (uid, gid uint32, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return st.Uid, st.Gid, true
}

// MayWrite reports whether this process can make names in a directory.
func MayWrite(dir string) bool {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
}
