package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Folder is a filesystem that is seen in another one.
type Folder struct {
	Path Path // where it is seen; not the root
	// FS is what is seen there; nil is one that is not to be had now: it is in no listing,
	// and whatever is at its path answers [ErrUnavailable].
	FS FS
}

// ErrUnavailable says that a folder is there by its name alone.
var ErrUnavailable = errors.New("folder is not available")

// ErrFolder says that a path is that of a folder, or leads to one, so that it cannot be
// removed, renamed or replaced. It is an ErrRoot too.
var ErrFolder = fmt.Errorf("is a folder, or leads to one: %w", ErrRoot)

// ErrOtherFolder says that two paths lie in different folders, between which nothing is
// moved. It is an ErrCrossDevice too.
var ErrOtherFolder = fmt.Errorf("is in another folder: %w", ErrCrossDevice)

// Forest is one filesystem made of several: a base, and folders that are seen in it
// (mount points, virtual folders). It is an FS, a [Writer] and what else both the base and
// the folders can be asked for, each where its own paths are; what one of them cannot do is
// refused there. It is made by [NewForest], is safe for concurrent use, and needs no
// closing: its parts are whoever's they were.
//
// A path belongs to the folder with the longest path that it lies in. Only the names decide
// that: what the base has at the same place is covered, and a symbolic link of one part
// never leads into another, because each part confines its own. What is covered is hidden,
// not protected: a link in the base may lead to it.
//
// The directories that lead to a folder are there, whatever the part that holds them has:
// where it has none, they are made up and nothing can be put into them. Neither they nor
// folders can be removed, renamed or replaced, and nothing is renamed from one part into
// another. Open files and directories are those of the parts, so that nothing stands
// between the kernel and the bytes.
type Forest struct {
	base    part
	folders []part // the longest path first
	stems   map[Path][]string
	made    time.Time
}

// part is a filesystem and where it is seen.
type part struct {
	FS
	at Path
}

// NewForest returns a filesystem of base and folders. Its error names a folder whose path
// is none, is the root, or is that of another.
func NewForest(base FS, folders []Folder) (*Forest, error) {
	f := &Forest{base: part{base, Root}, stems: map[Path][]string{}, made: time.Now()}
	for _, folder := range folders {
		p := folder.Path
		switch clean, err := Clean(Root, string(p)); {
		case err != nil || clean != p:
			return nil, fmt.Errorf("the folder %q: %w", p, fs.ErrInvalid)
		case p == Root:
			return nil, fmt.Errorf("the folder %q: %w", p, ErrRoot)
		case slices.ContainsFunc(f.folders, func(o part) bool { return o.at == p }):
			return nil, fmt.Errorf("the folder %q: %w", p, fs.ErrExist)
		}
		if folder.FS == nil {
			folder.FS = absent{}
		}
		f.folders = append(f.folders, part{folder.FS, p})
	}
	slices.SortFunc(f.folders, func(a, b part) int { return len(b.at) - len(a.at) })
	for _, folder := range f.folders {
		for p := folder.at; p != Root; p = p.Dir() {
			if kids := f.stems[p.Dir()]; !slices.Contains(kids, p.Base()) {
				f.stems[p.Dir()] = append(kids, p.Base())
			}
		}
	}
	return f, nil
}

// find returns the part that a path belongs to, and the path in it.
func (f *Forest) find(p Path) (part, Path) {
	for _, folder := range f.folders {
		if p.Within(folder.at) {
			return folder, folder.inner(p)
		}
	}
	return f.base, p
}

// inner is the path in a part of what is p outside.
func (t part) inner(p Path) Path {
	switch {
	case t.at == Root:
		return p
	case p == t.at:
		return Root
	}
	return p[len(t.at):]
}

// outer is the reverse of inner.
func (t part) outer(p Path) Path {
	switch {
	case t.at == Root:
		return p
	case p == Root:
		return t.at
	}
	return t.at + p
}

// fail has a part's error name the path that was asked for.
func (t part) fail(p Path, err error) error {
	if at, ok := err.(*fs.PathError); ok && t.at != Root {
		return &fs.PathError{Op: at.Op, Path: string(p), Err: at.Err}
	}
	return err
}

// isFolder reports whether p is the path of a folder.
func (f *Forest) isFolder(p Path) bool {
	t, inner := f.find(p)
	return inner == Root && t.at == p && p != Root
}

// leads reports whether a folder lies below p.
func (f *Forest) leads(p Path) bool { return len(f.stems[p]) > 0 }

// fixed reports whether p is a folder's, or leads to one.
func (f *Forest) fixed(p Path) bool { return f.leads(p) || f.isFolder(p) }

// Open implements [FS].
func (f *Forest) Open(p Path) (File, error) {
	t, inner := f.find(p)
	if f.leads(p) {
		return nil, &fs.PathError{Op: "open", Path: string(p), Err: ErrIsDirectory}
	}
	file, err := t.Open(inner)
	if err != nil {
		return nil, f.missing(t, p, err)
	}
	return file, nil
}

// Stat implements [FS].
func (f *Forest) Stat(p Path) (Info, error) {
	if f.leads(p) {
		info, _ := f.stem(p)
		return info, nil
	}
	t, inner := f.find(p)
	info, err := t.Stat(inner)
	return f.named(t, p, info, err)
}

// Lstat implements [FS].
func (f *Forest) Lstat(p Path) (Info, error) {
	if f.leads(p) {
		info, _ := f.stem(p)
		return info, nil
	}
	t, inner := f.find(p)
	info, err := t.Lstat(inner)
	return f.named(t, p, info, err)
}

// named is what a part has said of p, under the name that it has outside.
func (f *Forest) named(t part, p Path, info Info, err error) (Info, error) {
	if err != nil {
		return Info{}, f.missing(t, p, err)
	}
	if p == t.at {
		info.Name = p.Base()
	}
	return info, nil
}

// missing is fail for what was looked for. In a directory that is made up in the place of a
// file there is nothing.
func (f *Forest) missing(t part, p Path, err error) error {
	if errors.Is(err, ErrNotDirectory) && f.leads(p.Dir()) {
		if _, real := f.stem(p.Dir()); !real {
			return &fs.PathError{Op: "stat", Path: string(p), Err: fs.ErrNotExist}
		}
	}
	return t.fail(p, err)
}

// stem describes a directory that leads to a folder, and reports whether it is one of a
// part. Otherwise it is made up.
func (f *Forest) stem(p Path) (info Info, real bool) {
	t, inner := f.find(p)
	if info, err := t.Stat(inner); err == nil && info.IsDir() {
		info.Name = p.Base()
		return info, true
	}
	return Info{Name: p.Base(), Mode: fs.ModeDir | 0o555, ModTime: f.made, Links: 2}, false
}

// Fixed implements [Guard].
func (f *Forest) Fixed(p Path) (self, inside error) {
	t, inner := f.find(p)
	if g, ok := t.FS.(Guard); ok {
		self, inside = g.Fixed(inner)
	} else if _, ok := t.FS.(Writer); !ok {
		self, inside = ErrReadOnly, ErrReadOnly
	}
	if self == nil && f.fixed(p) {
		self = ErrFolder
	}
	if inside == nil {
		inside = f.barred(t, p)
	}
	if inside == nil && f.leads(p) {
		if _, real := f.stem(p); !real {
			inside = ErrReadOnly
		}
	}
	return self, inside
}

// absent is a folder that is not to be had.
type absent struct{}

func (absent) no(op string, p Path) error {
	return &fs.PathError{Op: op, Path: string(p), Err: ErrUnavailable}
}

// Open implements [FS].
func (a absent) Open(p Path) (File, error) { return nil, a.no("open", p) }

// Stat implements [FS].
func (a absent) Stat(p Path) (Info, error) { return Info{}, a.no("stat", p) }

// Lstat implements [FS].
func (a absent) Lstat(p Path) (Info, error) { return Info{}, a.no("lstat", p) }

// ReadDir implements [FS].
func (a absent) ReadDir(p Path) (Dir, error) { return nil, a.no("open", p) }

// Fixed implements [Guard].
func (absent) Fixed(Path) (self, inside error) { return ErrUnavailable, ErrUnavailable }
