//go:build unix

package quickstart

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// writable reports whether names can be made in a directory.
func writable(dir string) bool {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
}

// groupOf is the number of a file's group.
func groupOf(info fs.FileInfo) (gid uint32, known bool) {
	st, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return st.Gid, true
}

func chown(path string, uid, gid int) error { return os.Lchown(path, uid, gid) }
