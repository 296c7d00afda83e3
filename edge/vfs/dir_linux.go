package vfs

import (
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// dirBuffer is how many bytes of a directory are read at once. It bounds what a
// listing holds, however many entries there are.
const dirBuffer = 32 << 10

// diskDir reads a directory with few system calls: getdents64 into one buffer,
// and one fstatat per entry relative to the directory itself, so that no entry's
// description can come from elsewhere.
type diskDir struct {
	d     *Disk
	p     Path
	f     osFile
	buf   []byte
	names []string // read, not yet returned
	room  []string // the memory of names
}

// ReadDir implements [FS]. The Dir is a [LookDir] too.
func (d *Disk) ReadDir(p Path) (Dir, error) {
	if err := d.check(p); err != nil {
		return nil, d.fail("list", p, err)
	}
	var f osFile
	err := d.run(func() (err error) {
		f, err = d.mount.admitOr(d.openFile(p, directoryFlags))
		return err
	})
	if err != nil {
		return nil, d.fail("list", p, err)
	}
	return &diskDir{d: d, p: p, f: f}, nil
}

// Close implements [Dir].
func (r *diskDir) Close() error {
	r.buf, r.names, r.room = nil, nil, nil
	return r.d.fail("list", r.p, r.f.Close())
}

// fill reads the next names.
func (r *diskDir) fill() error {
	if r.buf == nil {
		r.buf = make([]byte, dirBuffer)
	}
	var n int
	err := r.f.at(osCall{Op: "getdents"}, func(fd int) (err error) {
		n, err = unix.Getdents(fd, r.buf)
		return err
	})
	switch {
	case err == unix.ENOENT: // the directory has been removed
		return io.EOF
	case err != nil:
		return err
	case n <= 0:
		return io.EOF
	}
	_, _, r.names = unix.ParseDirent(r.buf[:n], -1, r.room[:0])
	r.room = r.names
	return nil
}

// name returns the next name that is not hidden.
func (r *diskDir) name() (string, error) {
	for {
		if len(r.names) == 0 {
			if err := r.fill(); err != nil {
				return "", err
			}
			continue
		}
		name := r.names[0]
		r.names = r.names[1:]
		if !isHidden(name) {
			return name, nil
		}
	}
}

// Names implements [NameDir]. The kernel asks for no rights here, since it did when
// the directory was opened. If one mount alone is served, each name is looked at.
func (r *diskDir) Names(n int) ([]string, error) {
	names := make([]string, 0, min(max(n, 1), 512))
	for len(names) < max(n, 1) {
		name, err := r.name()
		if err != nil && len(names) > 0 {
			break
		} else if err != nil {
			return nil, r.failed(err)
		}
		if r.d.mount != nil && r.elsewhere(name) {
			continue
		}
		names = append(names, name)
	}
	return names, nil
}

// Next implements [Dir].
func (r *diskDir) Next(n int) (infos []Info, err error) {
	err = r.d.run(func() error {
		infos, err = r.next(n)
		return err
	})
	if err != nil {
		return nil, r.failed(err)
	}
	return infos, nil
}

// failed makes an error fit to be seen; the end is not one.
func (r *diskDir) failed(err error) error {
	if err == io.EOF {
		return err
	}
	return r.d.fail("list", r.p, err)
}

func (r *diskDir) next(n int) ([]Info, error) {
	infos := make([]Info, 0, min(max(n, 1), 512))
	for len(infos) < max(n, 1) {
		name, err := r.name()
		if err != nil && len(infos) > 0 {
			break
		} else if err != nil {
			return nil, err
		}
		info, err := r.lstat(name)
		if err == unix.ENOENT || err == unix.EXDEV {
			continue
		} else if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// Look implements [LookDir].
func (r *diskDir) Look(names []string) (infos []Info, err error) {
	err = r.d.run(func() error {
		infos, err = r.look(names)
		return err
	})
	if err != nil {
		return nil, r.failed(err)
	}
	return infos, nil
}

func (r *diskDir) look(names []string) ([]Info, error) {
	infos := make([]Info, 0, len(names))
	for _, name := range names {
		if isHidden(name) || name == "." || name == ".." || strings.Contains(name, "/") {
			continue // the directory has given no such name
		}
		info, err := r.lstat(name)
		if err == unix.ENOENT || err == unix.EXDEV {
			continue
		} else if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// lstat describes one entry.
func (r *diskDir) lstat(name string) (Info, error) {
	return describeAt(r.d.mount, r.f, name)
}

// elsewhere reports whether something that is not served is mounted on an entry.
func (r *diskDir) elsewhere(name string) (mounted bool) {
	_ = r.d.run(func() error {
		_, err := r.lstat(name)
		mounted = err == unix.EXDEV
		return nil
	})
	return mounted
}
