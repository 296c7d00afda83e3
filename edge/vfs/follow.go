package vfs

import (
	"errors"
	"io/fs"
	"strings"
)

// maxLinks bounds the symbolic links that one path may lead through.
const maxLinks = 40

// follow resolves every symbolic link of p, the last one included, with the
// rules of os.Root: an absolute target, and one that climbs over the root, leads
// out. It returns the path without links and what is there. When only the last
// component is missing, it returns its path beside fs.ErrNotExist, so that an
// upload through a dangling link can make the target.
//
// lstat describes a path whose parents hold no link. What follow returns may be
// out of date at once; whoever uses it must hold to the root by other means.
func follow(p Path, lstat func(Path) (Info, error)) (Path, Info, error) {
	at, links := Root, 0
	info, err := lstat(Root)
	if err != nil {
		return "", Info{}, err
	}
	rest := split(string(p))
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch {
		case name == "..":
			if at == Root {
				return "", Info{}, ErrEscapes
			}
			at = at.Dir()
			continue
		case len(name) > MaxName:
			return "", Info{}, ErrNameTooLong
		}
		next := at.Join(name)
		if info, err = lstat(next); err != nil {
			if errors.Is(err, fs.ErrNotExist) && len(rest) == 0 {
				return next, Info{}, err
			}
			return "", Info{}, err
		}
		if info.Mode&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", Info{}, ErrLoop
		}
		if strings.HasPrefix(info.Target, "/") {
			return "", Info{}, ErrEscapes
		}
		rest = append(split(info.Target), rest...)
	}
	info, err = lstat(at)
	return at, info, err
}

// split returns the components of a path without empty ones and ".".
func split(p string) []string {
	var parts []string
	for name := range strings.SplitSeq(p, "/") {
		if name != "" && name != "." {
			parts = append(parts, name)
		}
	}
	return parts
}
