// Package executable writes programs that a test then runs.
package executable

import (
	"os"
	"syscall"
)

// Write makes a program of path with these bytes, which may be a script; everybody may run
// it. The error is the file system's.
//
// Whoever forks while the file is open for writing passes it on to the child until that
// becomes another program, and until then the kernel refuses to run the file ("text file
// busy"). Tests in parallel fork at any time, so nobody may while this writes.
func Write(path string, data []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, data, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o755) // whatever the umask is
}

// Copy makes a program of the file from, which may lie where others may not look.
func Copy(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return Write(to, data)
}
