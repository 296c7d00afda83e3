package vfs

import (
	"io/fs"
	"strings"
)

// Symlink implements [Symlinker]. With full durability the link is on the disk
// when it returns.
func (d *Disk) Symlink(target string, p Path) error {
	return d.fail("symlink", p, d.run(func() error { return d.symlink(target, p) }))
}

func (d *Disk) symlink(target string, p Path) error {
	if err := d.checkNew(p); err != nil {
		return err
	}
	if p == Root {
		return fs.ErrExist
	}
	dir, info, err := follow(p.Dir(), d.lstat)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return ErrNotDirectory
	}
	text, err := linkText(target, dir, d.lstat)
	if err != nil {
		return err
	}
	fo, err := d.openFolder(dir)
	if err != nil {
		return err
	}
	defer fo.close()
	if err := fo.symlink(text, p.Base()); err != nil {
		return err
	}
	if err = d.syncOpen(fo); err != nil {
		_ = fo.unlink(p.Base()) // taken back
	}
	return err
}

// linkText returns what a link in dir, a path without links, has to say so that it
// leads to target, if it may lead there.
func linkText(target string, dir Path, lstat func(Path) (Info, error)) (string, error) {
	switch {
	case target == "":
		return "", fs.ErrInvalid
	case strings.ContainsAny(target, "\x00\r\n"):
		return "", ErrBadName
	case len(target) >= MaxPath:
		return "", ErrNameTooLong
	}
	if target[0] == '/' {
		p, err := Clean(Root, target)
		if err != nil {
			return "", err
		}
		if target = relative(dir, p); len(target) >= MaxPath {
			return "", ErrNameTooLong
		}
	}
	p, err := leadsTo(dir, target, lstat)
	switch {
	case err != nil:
		return "", err
	case isReserved(p):
		return "", fs.ErrPermission
	}
	return target, nil
}

// relative returns to as it is seen from dir.
func relative(dir, to Path) string {
	from, parts := split(string(dir)), split(string(to))
	for len(from) > 0 && len(parts) > 0 && from[0] == parts[0] {
		from, parts = from[1:], parts[1:]
	}
	up := make([]string, len(from), len(from)+len(parts)+1)
	for i := range up {
		up[i] = ".."
	}
	if parts = append(up, parts...); len(parts) == 0 {
		return "."
	}
	return strings.Join(parts, "/")
}

// leadsTo finds out where a link in dir, a path without links, would lead. Unlike
// follow it goes on where nothing is or nothing can be looked at; from there on
// names are taken for directories.
func leadsTo(dir Path, target string, lstat func(Path) (Info, error)) (Path, error) {
	at, links, blind := dir, 0, 0 // blind: how many components of at nobody knows
	rest := split(target)
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch {
		case name == ".." && at == Root:
			return "", ErrEscapes
		case name == "..":
			at, blind = at.Dir(), max(blind-1, 0)
			continue
		case len(name) > MaxName:
			return "", ErrNameTooLong
		}
		at = at.Join(name)
		if blind > 0 {
			blind++
			continue
		}
		info, err := lstat(at)
		if err != nil {
			blind = 1
			continue
		}
		if info.Mode&fs.ModeSymlink == 0 {
			continue
		}
		if links++; links > maxLinks {
			return "", ErrLoop
		}
		if strings.HasPrefix(info.Target, "/") {
			return "", ErrEscapes
		}
		at, rest = at.Dir(), append(split(info.Target), rest...)
	}
	return at, nil
}

// Space implements [Spacer]. It is what the kernel tells the server's user; the
// reserve of root is not in it. On hosts other than Linux it is
// errors.ErrUnsupported.
func (d *Disk) Space(p Path) (free int64, err error) {
	err = d.run(func() (err error) {
		if err = d.check(p); err == nil {
			free, err = d.space(p)
		}
		return err
	})
	return free, d.fail("space", p, err)
}
