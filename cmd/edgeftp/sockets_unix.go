//go:build unix

package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// listens says why a file is no socket on which somebody listens; nil if it is one.
func listens(f *os.File) error {
	raw, err := f.SyscallConn() // f.Fd would make the socket blocking, also in a process that accepts on it
	if err != nil {
		return err
	}
	on, failed := 0, error(nil)
	err = raw.Control(func(fd uintptr) { on, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN) })
	if err = errors.Join(err, failed); err == nil && on == 0 {
		err = errors.New("nobody listens on it")
	}
	return err
}
