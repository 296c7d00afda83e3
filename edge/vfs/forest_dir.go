package vfs

import (
	"io"
	"slices"
)

// ReadDir implements [FS]. A directory that leads to no folder is that of its part, with
// all that it can do.
func (f *Forest) ReadDir(p Path) (Dir, error) {
	t, inner := f.find(p)
	if !f.leads(p) {
		d, err := t.ReadDir(inner)
		if err != nil {
			return nil, f.missing(t, p, err)
		}
		return d, nil
	}
	d := &stemDir{forest: f, at: p, left: f.stems[p], covered: f.stems[p]}
	if _, real := f.stem(p); real {
		var err error
		if d.own, err = t.ReadDir(inner); err != nil {
			return nil, t.fail(p, err)
		}
	}
	return d, nil
}

// stemDir is a directory that leads to folders: first what its part has in it, then they.
type stemDir struct {
	forest  *Forest
	at      Path
	own     Dir // nil where there is none, and when it is read
	covered []string
	left    []string // that are still to come
}

// Next implements [Dir].
func (d *stemDir) Next(n int) ([]Info, error) {
	for d.own != nil {
		infos, err := d.own.Next(n)
		if err == io.EOF {
			err = d.Close()
		}
		if err != nil {
			return nil, err
		}
		infos = slices.DeleteFunc(infos, func(i Info) bool { return slices.Contains(d.covered, i.Name) })
		if len(infos) > 0 {
			return infos, nil
		}
	}
	var infos []Info
	for len(infos) < n && len(d.left) > 0 {
		name := d.left[0]
		d.left = d.left[1:]
		if info, err := d.forest.Lstat(d.at.Join(name)); err == nil {
			infos = append(infos, info)
		}
	}
	if len(infos) == 0 {
		return nil, io.EOF
	}
	return infos, nil
}

// Close closes what the part has given.
func (d *stemDir) Close() error {
	own := d.own
	if d.own = nil; own != nil {
		return own.Close()
	}
	return nil
}
