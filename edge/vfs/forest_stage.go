package vfs

import (
	"io"
	"io/fs"
)

// Stage implements [Writer]. An upload is staged, kept and published by its own part.
func (f *Forest) Stage(p Path, opt StageOptions) (Stage, error) {
	switch {
	case p == Root && opt.Unique:
		return nil, &fs.PathError{Op: "stage", Path: string(p), Err: ErrRoot}
	case p == Root || f.fixed(p) && !opt.Unique:
		return nil, &fs.PathError{Op: "stage", Path: string(p), Err: ErrIsDirectory}
	}
	t, at := f.find(p)
	if f.fixed(p) { // the name that is made up lies beside the folder
		t, at = f.find(p.Dir())
		at = at.Join(p.Base())
	}
	if err := f.barred(t, p); err != nil {
		return nil, &fs.PathError{Op: "stage", Path: string(p), Err: err}
	}
	w, ok := t.FS.(Writer)
	if !ok {
		return nil, &fs.PathError{Op: "stage", Path: string(p), Err: ErrReadOnly}
	}
	s, err := w.Stage(at, opt)
	if err != nil || t.at == Root {
		return s, t.fail(p, err)
	}
	moved := folderStage{s, t}
	if r, ok := s.(io.ReaderAt); ok {
		return readableStage{moved, r}, nil
	}
	return moved, nil
}

// folderStage is an upload in a folder, under the path that it has outside. ReadFrom is
// that of the folder's own, so that the kernel can move the bytes.
type folderStage struct {
	Stage
	part part
}

// Path implements [Stage].
func (s folderStage) Path() Path { return s.part.outer(s.Stage.Path()) }

// Interrupt implements [Interrupter].
func (s folderStage) Interrupt() {
	if i, ok := s.Stage.(Interrupter); ok {
		i.Interrupt()
	}
}

// readableStage is one whose bytes can be read.
type readableStage struct {
	folderStage
	io.ReaderAt
}

// Partial implements [Partials].
func (f *Forest) Partial(owner string, p Path) (Info, error) {
	t, inner := f.find(p)
	parts, ok := t.FS.(Partials)
	if !ok || f.fixed(p) {
		return Info{}, &fs.PathError{Op: "stat", Path: string(p), Err: fs.ErrNotExist}
	}
	info, err := parts.Partial(owner, inner)
	return info, t.fail(p, err)
}

// Partials implements [Partials].
func (f *Forest) Partials(owner string, p Path) ([]Info, error) {
	t, inner := f.find(p)
	parts, ok := t.FS.(Partials)
	if !ok {
		return nil, nil
	}
	infos, err := parts.Partials(owner, inner)
	var seen []Info
	for _, info := range infos {
		if !f.leads(p) || !f.fixed(p.Join(info.Name)) {
			seen = append(seen, info)
		}
	}
	return seen, t.fail(p, err)
}

// OpenPartial implements [Partials].
func (f *Forest) OpenPartial(owner string, p Path) (File, error) {
	t, inner := f.find(p)
	parts, ok := t.FS.(Partials)
	if !ok || f.fixed(p) {
		return nil, &fs.PathError{Op: "open", Path: string(p), Err: fs.ErrNotExist}
	}
	file, err := parts.OpenPartial(owner, inner)
	return file, t.fail(p, err)
}

// DropPartial implements [Partials].
func (f *Forest) DropPartial(owner string, p Path) error {
	t, inner := f.find(p)
	parts, ok := t.FS.(Partials)
	if !ok || f.fixed(p) {
		return &fs.PathError{Op: "delete", Path: string(p), Err: fs.ErrNotExist}
	}
	return t.fail(p, parts.DropPartial(owner, inner))
}
