//go:build !linux

package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// diskDir reads a directory in portions. The root it holds is that of the
// directory itself, so that no entry's description can come from elsewhere.
type diskDir struct {
	d    *Disk
	p    Path
	f    osFile
	root osRoot
}

// ReadDir implements [FS].
func (d *Disk) ReadDir(p Path) (Dir, error) {
	if err := d.check(p); err != nil {
		return nil, d.fail("list", p, err)
	}
	if info, err := d.Stat(p); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, d.fail("list", p, ErrNotDirectory)
	}
	root, err := d.root.OpenRoot(p.Rel())
	if err != nil {
		return nil, d.fail("list", p, err)
	}
	f, err := root.OpenFile(".", directoryFlags, 0)
	if err != nil {
		return nil, d.fail("list", p, errors.Join(err, root.Close()))
	}
	return &diskDir{d: d, p: p, f: f, root: root}, nil
}

// Close implements [Dir].
func (r *diskDir) Close() error {
	return r.d.fail("list", r.p, errors.Join(r.f.Close(), r.root.Close()))
}

// Next implements [Dir].
func (r *diskDir) Next(n int) ([]Info, error) {
	var infos []Info
	for len(infos) == 0 {
		names, err := r.f.Readdirnames(max(n, 1))
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		} else if err != nil {
			return nil, r.d.fail("list", r.p, err)
		}
		for _, name := range names {
			info, err := r.lstat(name)
			if err == nil && !isHidden(name) {
				infos = append(infos, info)
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, r.d.fail("list", r.p, err)
			}
		}
	}
	return infos, nil
}

// lstat describes one entry.
func (r *diskDir) lstat(name string) (Info, error) {
	fi, err := r.root.Lstat(name)
	if err != nil {
		return Info{}, err
	}
	info := infoOf(fi, name)
	if info.Mode&fs.ModeSymlink != 0 {
		info.Target, err = r.root.Readlink(name)
	}
	return info, err
}
