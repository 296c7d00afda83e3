package vfs

import (
	"fmt"
	"io"
	"io/fs"
)

// Guard is an FS of which something stays as it is, whatever permissions and policies say.
type Guard interface {
	// Fixed tells what keeps p itself from being removed and renamed, and what keeps all
	// that is in it, or the bytes and attributes of a file, from being changed. Nil is that
	// nothing does so beyond what holds everywhere.
	Fixed(p Path) (self, inside error)
}

// ReadOnly is a filesystem in which nothing can be changed by whoever has it: it is no
// [Writer], and there is no other way in. The FS below it may change. It is made by
// [NewReadOnly].
type ReadOnly struct{ below FS }

// NewReadOnly returns a filesystem as one that cannot be changed.
func NewReadOnly(fsys FS) *ReadOnly { return &ReadOnly{fsys} }

// Open implements [FS]. The File is that of the filesystem below: files are opened for
// reading alone.
func (r *ReadOnly) Open(p Path) (File, error) { return r.below.Open(p) }

// Stat implements [FS].
func (r *ReadOnly) Stat(p Path) (Info, error) { return r.below.Stat(p) }

// Lstat implements [FS].
func (r *ReadOnly) Lstat(p Path) (Info, error) { return r.below.Lstat(p) }

// ReadDir implements [FS].
func (r *ReadOnly) ReadDir(p Path) (Dir, error) { return r.below.ReadDir(p) }

// Fixed implements [Guard]: everything is.
func (r *ReadOnly) Fixed(Path) (self, inside error) { return ErrReadOnly, ErrReadOnly }

// Space implements [Spacer]: there is none to write to.
func (r *ReadOnly) Space(p Path) (free int64, err error) {
	info, err := r.below.Stat(p)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "space", Path: string(p), Err: ErrNotDirectory}
	}
	return 0, err
}

// Sub implements [Subber]; the FS is a *ReadOnly. Its error wraps fs.ErrInvalid where the
// filesystem below is no Subber.
func (r *ReadOnly) Sub(dir Path) (FS, error) {
	s, ok := r.below.(Subber)
	if !ok {
		return nil, fmt.Errorf("a %T has no parts to be served: %w", r.below, fs.ErrInvalid)
	}
	fsys, err := s.Sub(dir)
	if err != nil {
		return nil, err
	}
	return NewReadOnly(fsys), nil
}

// AsUser implements [Impersonator]; the FS is a *ReadOnly.
func (r *ReadOnly) AsUser(c Credentials) (FS, error) {
	fsys, err := AsUser(r.below, c)
	if err != nil {
		return nil, err
	}
	return NewReadOnly(fsys), nil
}

// Close closes the filesystem below, if it is an io.Closer.
func (r *ReadOnly) Close() error {
	if c, ok := r.below.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
