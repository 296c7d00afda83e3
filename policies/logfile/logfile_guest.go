//go:build wasip1

package logfile

import (
	"errors"
	"os"
)

// File is none: a guest has no files, and its module must not ask for any.
type File struct {
	// Regained is never called.
	Regained func(lost uint64)
}

// Open fails.
func Open(string, os.FileMode) (*File, error) { return nil, errors.ErrUnsupported }

// Reopen fails.
func (*File) Reopen() error { return errors.ErrUnsupported }

// Write fails.
func (*File) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Lost returns 0.
func (*File) Lost() uint64 { return 0 }

// Path returns nothing.
func (*File) Path() string { return "" }

// Close does nothing.
func (*File) Close() error { return nil }
