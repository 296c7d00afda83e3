//go:build linux || darwin || freebsd

package check

import "golang.org/x/sys/unix"

// spaceOf is what the file system of a directory has left for this user.
func spaceOf(dir string) (room, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return room{}, err
	}
	left := room{bytes: uint64(s.Bavail) * uint64(s.Bsize), files: uint64(s.Ffree)}
	if s.Files == 0 { // such as btrfs: files are not counted
		left.files = ^uint64(0)
	}
	return left, nil
}
