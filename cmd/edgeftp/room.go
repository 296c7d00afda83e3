package main

import (
	"errors"
	"fmt"
	"syscall"
)

// roomless says what helps where the file system of the state directory is full, which is
// no fault of the configuration.
func roomless(err error, dir string) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	return exitWith(exitFailed, fmt.Errorf("%w\n   = help: make room where the server keeps its state, in %s; nothing was lost there, and no port was opened", err, dir))
}
