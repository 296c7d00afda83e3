package vfs

import "time"

// Symlinker is temporary.
type Symlinker interface {
	Symlink(target string, p Path) error
}

// Spacer is temporary.
type Spacer interface {
	Space(p Path) (int64, error)
}

// Birther is temporary.
type Birther interface {
	SetBirth(p Path, t time.Time) error
}
