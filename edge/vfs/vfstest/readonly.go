package vfstest

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// TestReadOnly checks a filesystem that cannot be written to, or not by the test:
// it walks through what is there, which must not change meanwhile, and looks at
// the first 1,000 files and directories. A filesystem without a single file proves
// little, and fails.
func TestReadOnly(t *testing.T, fsys vfs.FS) { (&walk{reporter: t, fs: fsys}).all() }

// reporter is the part of *testing.T that takes what was found.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// mostSeen bounds a walk.
const mostSeen = 1000

// walk is a filesystem that is looked through.
type walk struct {
	reporter
	fs    vfs.FS
	seen  int
	files int
	dirs  []vfs.Path
}

func (w *walk) all() {
	if info, err := w.fs.Stat(vfs.Root); err != nil || !info.IsDir() || info.Name != "/" {
		w.Errorf("the root is %+v, %v", info, err)
		return
	}
	w.directory(vfs.Root)
	if w.files == 0 {
		w.Errorf("there is no file")
	}
	w.together()
}

// directory looks at a directory and at what is in it.
func (w *walk) directory(dir vfs.Path) {
	w.Helper()
	w.dirs = append(w.dirs, dir)
	infos, one := w.entries(dir, 100), w.entries(dir, 1)
	if a, b := namesOf(infos), namesOf(one); !slices.Equal(a, b) {
		w.Errorf("%s: read one by one, it has %q, in portions %q", dir, b, a)
	}
	if f, err := w.fs.Open(dir); !errors.Is(err, vfs.ErrIsDirectory) {
		w.Errorf("%s: Open: %v, %v, want ErrIsDirectory", dir, f, err)
	}
	w.missing(dir.Join("edgeftp-vfstest-missing"), fs.ErrNotExist)
	for _, info := range infos {
		if w.seen++; w.seen > mostSeen {
			return
		}
		if p, err := vfs.Clean(dir, info.Name); err != nil || p != dir.Join(info.Name) || p == dir {
			w.Errorf("%s: no path leads to the entry %q", dir, info.Name)
			continue
		}
		w.entry(dir.Join(info.Name), info)
	}
}

// entries reads a directory in portions of n.
func (w *walk) entries(dir vfs.Path, n int) []vfs.Info {
	w.Helper()
	d, err := w.fs.ReadDir(dir)
	if err != nil {
		w.Errorf("%s: ReadDir: %v", dir, err)
		return nil
	}
	defer d.Close()
	var all []vfs.Info
	for len(all) <= mostSeen {
		some, err := d.Next(n)
		if err == io.EOF && len(some) == 0 {
			break
		}
		if err != nil || len(some) == 0 || len(some) > n {
			w.Errorf("%s: Next(%d) returned %d entries, %v", dir, n, len(some), err)
			return all
		}
		all = append(all, some...)
	}
	if len(all) <= mostSeen {
		if some, err := d.Next(n); err != io.EOF || len(some) > 0 {
			w.Errorf("%s: Next after the end returned %d entries, %v", dir, len(some), err)
		}
	}
	return all
}

func namesOf(infos []vfs.Info) []string {
	var names []string
	for _, i := range infos {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return names
}

// entry looks at one entry of a directory, which says what it is.
func (w *walk) entry(p vfs.Path, info vfs.Info) {
	w.Helper()
	self, err := w.fs.Lstat(p)
	if err != nil || self.Name != info.Name || self.Mode != info.Mode || self.Size != info.Size || !self.ModTime.Equal(info.ModTime) {
		w.Errorf("%s: its directory says %+v, Lstat %+v, %v", p, info, self, err)
	}
	switch {
	case info.IsDir():
		w.directory(p)
	case info.Mode.IsRegular():
		w.file(p, info)
	case info.Mode&fs.ModeSymlink != 0:
		if info.Target == "" {
			w.Errorf("%s: the link says nothing", p)
		}
	default:
		if f, err := w.fs.Open(p); !errors.Is(err, vfs.ErrSpecial) {
			w.Errorf("%s: Open: %v, %v, want ErrSpecial", p, f, err)
		}
	}
}

// file reads a file, twice in two ways.
func (w *walk) file(p vfs.Path, info vfs.Info) {
	w.Helper()
	w.files++
	if after, err := w.fs.Stat(p); err != nil || after.Size != info.Size || after.Mode != info.Mode || after.Name != info.Name {
		w.Errorf("%s: Lstat says %+v, Stat %+v, %v", p, info, after, err)
	}
	if _, err := w.fs.ReadDir(p); !errors.Is(err, vfs.ErrNotDirectory) {
		w.Errorf("%s: ReadDir: %v, want ErrNotDirectory", p, err)
	}
	w.missing(p.Join("below"), fs.ErrNotExist, vfs.ErrNotDirectory)
	f, err := w.fs.Open(p)
	if err != nil {
		w.Errorf("%s: Open: %v", p, err)
		return
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || fi.Size() != info.Size || fi.IsDir() {
		w.Errorf("%s: the open file says of itself %v, %v", p, fi, err)
	}
	whole, err := io.ReadAll(f)
	if err != nil || int64(len(whole)) != info.Size {
		w.Errorf("%s: of %d bytes %d were read, %v", p, info.Size, len(whole), err)
		return
	}
	middle := info.Size / 2
	at, err := f.Seek(middle, io.SeekStart)
	rest, readErr := io.ReadAll(f)
	if err != nil || at != middle || readErr != nil || string(rest) != string(whole[middle:]) {
		w.Errorf("%s: from byte %d on it reads %d bytes, %v, %v", p, middle, len(rest), err, readErr)
	}
}

// missing looks for what is not there.
func (w *walk) missing(p vfs.Path, want ...error) {
	w.Helper()
	_, stat := w.fs.Stat(p)
	_, lstat := w.fs.Lstat(p)
	_, open := w.fs.Open(p)
	_, list := w.fs.ReadDir(p)
	for what, err := range map[string]error{"Stat": stat, "Lstat": lstat, "Open": open, "ReadDir": list} {
		if !slices.ContainsFunc(want, func(is error) bool { return errors.Is(err, is) }) {
			w.Errorf("%s: %s: %v, want one of %v", p, what, err, want)
		}
	}
}

// together has the directories read by many goroutines at once: the race detector
// finds what is not fit for that.
func (w *walk) together() {
	var all sync.WaitGroup
	defer all.Wait()
	for range 8 {
		all.Go(func() {
			for _, dir := range w.dirs {
				if _, err := w.fs.Stat(dir); err != nil {
					w.Errorf("%s: Stat by one of several: %v", dir, err)
				}
				w.entries(dir, 7)
			}
		})
	}
}
