package vfs

import (
	"errors"
	"fmt"
	"io/fs"
)

// The errors of this package, to be tested with errors.Is. Those of io/fs
// (ErrNotExist, ErrExist, ErrPermission, ErrInvalid) are used beside them.
var (
	ErrIsDirectory  = errors.New("is a directory")
	ErrNotDirectory = errors.New("is not a directory")
	ErrNotEmpty     = errors.New("directory is not empty")
	ErrSpecial      = errors.New("is not a regular file")
	ErrEscapes      = errors.New("leads out of the served tree")
	ErrRoot         = errors.New("is the root of the served tree")
	ErrOffset       = errors.New("offset is beyond the end of the file")
	ErrReadOnly     = errors.New("filesystem is read-only")
	ErrNoSpace      = errors.New("no space left")
	ErrBusy         = errors.New("is being written by another session")
	ErrNameTooLong  = errors.New("name is too long")
	ErrBadName      = errors.New("name holds a byte that no file name may hold")
	ErrCrossDevice  = errors.New("is on another filesystem")
)

// errUnsure says that the short way does not know, and os.Root has to say.
var errUnsure = errors.New("ask os.Root")

// ErrLoop says that a path leads through too many symbolic links. It is an
// fs.ErrInvalid too.
var ErrLoop = fmt.Errorf("too many symbolic links: %w", fs.ErrInvalid)
