//go:build unix

package control

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock waits until no other process of ours is making its socket in dir. The
// lock lies on the directory itself, so it leaves nothing behind.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "lock", Path: dir, Err: err}, f.Close())
	}
	return func() { _ = f.Close() }, nil // which ends the lock
}
