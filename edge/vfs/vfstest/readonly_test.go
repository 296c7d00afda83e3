package vfstest

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// broken is a filesystem in which a test can replace single answers.
type broken struct {
	*vfs.Mem
	open    func(vfs.File, error) (vfs.File, error)
	stat    func(vfs.Info, error) (vfs.Info, error)
	lstat   func(vfs.Info, error) (vfs.Info, error)
	readDir func(vfs.Dir, error) (vfs.Dir, error)
}

func (b *broken) Open(p vfs.Path) (vfs.File, error) {
	f, err := b.Mem.Open(p)
	if b.open != nil {
		return b.open(f, err)
	}
	return f, err
}

func (b *broken) Stat(p vfs.Path) (vfs.Info, error) {
	i, err := b.Mem.Stat(p)
	if b.stat != nil {
		return b.stat(i, err)
	}
	return i, err
}

func (b *broken) Lstat(p vfs.Path) (vfs.Info, error) {
	i, err := b.Mem.Lstat(p)
	if b.lstat != nil {
		return b.lstat(i, err)
	}
	return i, err
}

func (b *broken) ReadDir(p vfs.Path) (vfs.Dir, error) {
	d, err := b.Mem.ReadDir(p)
	if b.readDir != nil {
		return b.readDir(d, err)
	}
	return d, err
}

// dirOf is a directory whose Next is a test's own.
type dirOf struct {
	vfs.Dir
	next func(n int) ([]vfs.Info, error)
}

func (d dirOf) Next(n int) ([]vfs.Info, error) { return d.next(n) }

// deaf is a file that cannot seek and says so to nobody.
type deaf struct{ vfs.File }

func (deaf) Seek(at int64, _ int) (int64, error) { return at, nil }

func tree(t *testing.T) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	for _, p := range []vfs.Path{"/a", "/d/bcd", "/d/e/cd", "/d/e/empty"} {
		if err := mem.WriteFile(p, []byte(p.Base()[:len(p.Base())%5])); err != nil {
			t.Fatal(err)
		}
	}
	if err := mem.Symlink("a", "/link"); err != nil {
		t.Fatal(err)
	}
	return mem
}

func TestReadOnlyOfMem(t *testing.T) { TestReadOnly(t, tree(t)) }

// notes keeps what a walk reports.
type notes struct {
	mu   sync.Mutex
	text []string
}

func (n *notes) Helper() {}

func (n *notes) Errorf(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text = append(n.text, fmt.Sprintf(format, args...))
}

func TestReadOnlyFindsFaults(t *testing.T) {
	next := func(answer func(d vfs.Dir, n int) ([]vfs.Info, error)) func(vfs.Dir, error) (vfs.Dir, error) {
		return func(d vfs.Dir, err error) (vfs.Dir, error) {
			if err != nil {
				return d, err
			}
			return dirOf{d, func(n int) ([]vfs.Info, error) { return answer(d, n) }}, nil
		}
	}
	for _, c := range []struct {
		says string
		fs   broken
	}{
		{"there is no file", broken{Mem: vfs.NewMem()}},
		{"the root is", broken{stat: func(vfs.Info, error) (vfs.Info, error) { return vfs.Info{Name: "/"}, nil }}},
		{"/a: Lstat says", broken{stat: func(i vfs.Info, err error) (vfs.Info, error) { i.Size++; return i, err }}},
		{"/a: its directory says", broken{lstat: func(i vfs.Info, err error) (vfs.Info, error) { i.Mode |= 0o111; return i, err }}},
		{"want ErrIsDirectory", broken{open: func(f vfs.File, _ error) (vfs.File, error) { return f, fs.ErrPermission }}},
		{"from byte 1 on", broken{open: func(f vfs.File, err error) (vfs.File, error) {
			if f != nil {
				f = deaf{f}
			}
			return f, err
		}}},
		{"missing: Open: <nil>", broken{open: func(f vfs.File, _ error) (vfs.File, error) { return f, nil }}},
		{"ReadDir: ", broken{readDir: func(vfs.Dir, error) (vfs.Dir, error) { return nil, fs.ErrInvalid }}},
		{"Next(1) returned", broken{readDir: next(func(d vfs.Dir, _ int) ([]vfs.Info, error) { return d.Next(100) })}},
		{"returned 0 entries, <nil>", broken{readDir: next(func(vfs.Dir, int) ([]vfs.Info, error) { return nil, nil })}},
		{"one by one", broken{readDir: next(func(d vfs.Dir, n int) ([]vfs.Info, error) {
			infos, err := d.Next(n)
			if n == 1 && len(infos) > 0 && infos[0].Name == "a" {
				return nil, io.EOF
			}
			return infos, err
		})}},
		{"no path leads", broken{readDir: next(func(d vfs.Dir, n int) ([]vfs.Info, error) {
			infos, err := d.Next(n)
			for i := range infos {
				infos[i].Name = ".."
			}
			return infos, err
		})}},
	} {
		if c.fs.Mem == nil {
			c.fs.Mem = tree(t)
		}
		var found notes
		(&walk{reporter: &found, fs: &c.fs}).all()
		if !strings.Contains(strings.Join(found.text, "\n"), c.says) {
			t.Errorf("%s: not found; reported: %q", c.says, found.text)
		}
	}
}
