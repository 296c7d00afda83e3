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

// ownerOf are the numbers of a file's user and group.
func ownerOf(info fs.FileInfo) (uid, gid uint32, known bool) {
	st, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, 0, false
	}
	return st.Uid, st.Gid, true
}

func chown(path string, uid, gid int) error { return os.Lchown(path, uid, gid) }
