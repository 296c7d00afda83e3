package vfs

import (
	"errors"
	"io/fs"
	"time"
)

// change is one change of what is at p, made by do in its part.
func (f *Forest) change(op string, p Path, do func(t part, inner Path) error) error {
	t, inner := f.find(p)
	if err := f.barred(t, p); err != nil {
		return &fs.PathError{Op: op, Path: string(p), Err: err}
	}
	return t.fail(p, do(t, inner))
}

// barred says what keeps everything at p as it is: a part that is read-only or not to be
// had, or a directory that is made up.
func (f *Forest) barred(t part, p Path) error {
	if f.leads(p.Dir()) && !f.isFolder(p) {
		if _, real := f.stem(p.Dir()); !real {
			return ErrReadOnly
		}
	}
	if g, ok := t.FS.(Guard); ok {
		if _, inside := g.Fixed(t.inner(p)); inside != nil {
			return inside
		}
	}
	return nil
}

// writing is change by a Writer.
func (f *Forest) writing(op string, p Path, do func(w Writer, inner Path) error) error {
	return f.change(op, p, func(t part, inner Path) error {
		w, ok := t.FS.(Writer)
		if !ok {
			return &fs.PathError{Op: op, Path: string(p), Err: ErrReadOnly}
		}
		return do(w, inner)
	})
}

// Mkdir implements [Writer].
func (f *Forest) Mkdir(p Path) error {
	if f.fixed(p) {
		return &fs.PathError{Op: "mkdir", Path: string(p), Err: fs.ErrExist}
	}
	return f.writing("mkdir", p, func(w Writer, inner Path) error { return w.Mkdir(inner) })
}

// Rmdir implements [Writer].
func (f *Forest) Rmdir(p Path) error {
	if err := f.kept(p); err != nil {
		return &fs.PathError{Op: "rmdir", Path: string(p), Err: err}
	}
	return f.writing("rmdir", p, func(w Writer, inner Path) error { return w.Rmdir(inner) })
}

// kept says why p cannot be removed or renamed, nil for nothing of the forest's.
func (f *Forest) kept(p Path) error {
	switch {
	case p == Root:
		return ErrRoot
	case f.fixed(p):
		return ErrFolder
	}
	return nil
}

// Remove implements [Writer].
func (f *Forest) Remove(p Path) error {
	if f.fixed(p) {
		return &fs.PathError{Op: "remove", Path: string(p), Err: ErrIsDirectory}
	}
	return f.writing("remove", p, func(w Writer, inner Path) error { return w.Remove(inner) })
}

// Rename implements [Writer].
func (f *Forest) Rename(from, to Path) error {
	err := f.kept(from)
	if err == nil {
		err = f.kept(to)
	}
	source, _ := f.find(from)
	target, inner := f.find(to)
	if err == nil {
		err = f.barred(target, to)
	}
	if err == nil && source.at != target.at {
		err = ErrOtherFolder
	}
	if err != nil {
		return &fs.PathError{Op: "rename", Path: string(from), Err: err}
	}
	return f.writing("rename", from, func(w Writer, old Path) error { return w.Rename(old, inner) })
}

// Chmod implements [Chmodder].
func (f *Forest) Chmod(p Path, mode fs.FileMode) error {
	return f.attribute("chmod", p, func(fsys FS, inner Path) (bool, error) {
		c, ok := fsys.(Chmodder)
		if !ok {
			return false, nil
		}
		return true, c.Chmod(inner, mode)
	})
}

// Chtimes implements [Chtimer].
func (f *Forest) Chtimes(p Path, atime, mtime time.Time) error {
	return f.attribute("chtimes", p, func(fsys FS, inner Path) (bool, error) {
		c, ok := fsys.(Chtimer)
		if !ok {
			return false, nil
		}
		return true, c.Chtimes(inner, atime, mtime)
	})
}

// attribute changes what a part knows of p, if it can. What is a folder's stays.
func (f *Forest) attribute(op string, p Path, do func(FS, Path) (able bool, err error)) error {
	return f.change(op, p, func(t part, inner Path) error {
		if f.fixed(p) && p != Root {
			return &fs.PathError{Op: op, Path: string(p), Err: ErrFolder}
		}
		able, err := do(t.FS, inner)
		if !able {
			err = &fs.PathError{Op: op, Path: string(p), Err: ErrReadOnly}
		}
		return err
	})
}

// Symlink implements [Symlinker]. A link into another part is refused with ErrEscapes.
func (f *Forest) Symlink(target string, p Path) error {
	if f.fixed(p) {
		return &fs.PathError{Op: "symlink", Path: string(p), Err: fs.ErrExist}
	}
	return f.attribute("symlink", p, func(fsys FS, inner Path) (bool, error) {
		s, ok := fsys.(Symlinker)
		if !ok {
			return false, nil
		}
		if len(target) > 0 && target[0] == '/' {
			to, err := Clean(Root, target)
			if err != nil {
				return true, &fs.PathError{Op: "symlink", Path: string(p), Err: err}
			}
			from, _ := f.find(p)
			there, at := f.find(to)
			if there.at != from.at {
				return true, &fs.PathError{Op: "symlink", Path: string(p), Err: ErrEscapes}
			}
			target = string(at)
		}
		return true, s.Symlink(target, inner)
	})
}

// Space implements [Spacer]. Where nothing can be written there is none.
func (f *Forest) Space(p Path) (free int64, err error) {
	t, inner := f.find(p)
	if f.leads(p) {
		if _, real := f.stem(p); !real {
			return 0, nil
		}
	}
	s, ok := t.FS.(Spacer)
	if !ok {
		return 0, &fs.PathError{Op: "space", Path: string(p), Err: errors.ErrUnsupported}
	}
	free, err = s.Space(inner)
	return free, t.fail(p, err)
}

// Masked implements [Masker], for those parts that are Maskers.
func (f *Forest) Masked(umask fs.FileMode) FS {
	masked, _ := f.each(func(fsys FS) (FS, error) {
		if m, ok := fsys.(Masker); ok {
			return m.Masked(umask), nil
		}
		return fsys, nil
	})
	return masked
}

// AsUser implements [Impersonator]. The base and every folder that is to be had must be
// Impersonators.
func (f *Forest) AsUser(c Credentials) (FS, error) {
	as, err := f.each(func(fsys FS) (FS, error) {
		if _, gone := fsys.(absent); gone {
			return fsys, nil
		}
		return AsUser(fsys, c)
	})
	if err != nil {
		return nil, err
	}
	return as, nil
}

// each is a forest of what the parts are made into.
func (f *Forest) each(of func(FS) (FS, error)) (*Forest, error) {
	next := &Forest{stems: f.stems, made: f.made}
	fsys, err := of(f.base.FS)
	next.base = part{fsys, Root}
	for _, t := range f.folders {
		if err == nil {
			fsys, err = of(t.FS)
			next.folders = append(next.folders, part{fsys, t.at})
		}
	}
	return next, err
}
