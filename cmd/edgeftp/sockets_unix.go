//go:build unix

package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// listens says why a file is no socket on which somebody listens; nil if it is one.
func listens(f *os.File) error {
	on, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil && on == 0 {
		err = errors.New("nobody listens on it")
	}
	return err
}
