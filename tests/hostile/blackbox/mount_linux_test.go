package blackbox

import "syscall"

// The kinds of files that are none.
const (
	fifo   = syscall.S_IFIFO | 0o666
	device = syscall.S_IFCHR | 0o666
)

// mount puts a small file system of memory somewhere.
func mount(path, options string) error {
	return syscall.Mount("none", path, "tmpfs", 0, options)
}

func unmount(path string) { _ = syscall.Unmount(path, syscall.MNT_DETACH) }

// free is how many bytes are left in a file system.
func free(path string) (int64, error) {
	var s syscall.Statfs_t
	err := syscall.Statfs(path, &s)
	return int64(s.Bavail) * s.Bsize, err
}
