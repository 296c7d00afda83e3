package listing

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// tree makes a filesystem: "/a" is a file, "/d/" a directory, "/l=to" a link.
func tree(t testing.TB, paths ...string) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	for _, p := range paths {
		name, target, link := strings.Cut(p, "=")
		dir, isDir := strings.CutSuffix(name, "/")
		for i, c := range dir {
			if c == '/' && i > 0 {
				_ = m.Mkdir(vfs.Path(dir[:i]))
			}
		}
		var err error
		switch {
		case link:
			err = m.WriteLink(target, vfs.Path(name))
		case isDir:
			err = m.Mkdir(vfs.Path(dir))
		default:
			err = m.WriteFile(vfs.Path(name), []byte(name))
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatalf("%s: %v", p, err)
		}
	}
	return m
}

// modeOf reads a mode as ls writes it.
func modeOf(s string) (m fs.FileMode) {
	m = map[byte]fs.FileMode{'d': fs.ModeDir, 'l': fs.ModeSymlink, 'p': fs.ModeNamedPipe, 's': fs.ModeSocket}[s[0]]
	for i, c := range s[1:] {
		if c != '-' {
			m |= 1 << (8 - i)
		}
	}
	return m
}

// read returns the lines of a listing.
func read(t testing.TB, r io.ReadCloser) []string {
	t.Helper()
	text, err := io.ReadAll(r)
	if err == nil {
		err = r.Close()
	}
	if err != nil {
		t.Fatalf("%v, after %q", err, text)
	}
	lines := strings.Split(string(text), "\r\n")
	return lines[:len(lines)-1]
}

// walker walks through a filesystem. What it is forbidden fails.
type walker struct {
	*Walk
	opened  []vfs.Path
	forbid  map[vfs.Path]error
	clients int // how many directories are open
}

// closing tells the walker of its end.
type closing struct {
	vfs.Dir
	w *walker
}

func (d closing) Close() error {
	d.w.clients--
	return d.Dir.Close()
}

func newWalker(m *vfs.Mem, o Options) *walker {
	w := &walker{forbid: map[vfs.Path]error{}}
	w.Walk = &Walk{Options: o, Dots: true,
		Limits: Limits{Entries: 100, Directories: 50, Depth: 5, Time: time.Hour, Sorted: 100},
		Open: func(p vfs.Path) (vfs.Dir, vfs.Path, error) {
			w.opened = append(w.opened, p)
			if err := w.forbid[p]; err != nil {
				return nil, p, err
			}
			dir, err := m.ReadDir(p)
			if err != nil {
				return nil, p, err
			}
			w.clients++
			return closing{dir, w}, p, nil
		},
		Look: func(p vfs.Path) (vfs.Info, error) {
			if err := w.forbid[p]; err != nil {
				return vfs.Info{}, err
			}
			return m.Lstat(p)
		},
	}
	return w
}

func single(vfs.Path, string) Format        { return Names("") }
func paths(_ vfs.Path, text string) Format  { return Names(text) }
func (w *walker) names(roots ...Root) *Tree { return NewTree(w.Walk, paths, false, roots...) }

func TestTree(t *testing.T) {
	m := tree(t, "/b/x", "/b/.h/y", "/a", "/c/", "/b/deep/er/z", "/l=b", "/b/up=..")
	for _, c := range []struct {
		text, want string
		options    Options
		dots       bool
	}{
		{"./", ".:\na\nb\nc\nl\n\n./b:\n.h\ndeep\nup\nx\n\n./b/.h:\ny\n\n./b/deep:\ner\n\n./b/deep/er:\nz\n\n./c:\n", 0, true},
		{"./", ".:\na\nb\nc\nl\n\n./b:\ndeep\nup\nx\n\n./b/deep:\ner\n\n./b/deep/er:\nz\n\n./c:\n", 0, false},
		{"/", "/:\nl\nc\nb\na\n\n/c:\n\n/b:\nx\nup\ndeep\n\n/b/deep:\ner\n\n/b/deep/er:\nz\n", Reverse, false},
	} {
		w := newWalker(m, c.options)
		w.Dots = c.dots
		open := func() *Tree { return NewTree(w.Walk, single, true, Root{vfs.Root, c.text}) }
		r := open()
		want := strings.ReplaceAll(c.want, "\n", "\r\n")
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%s %b:\n%s%v", c.text, c.options, got, err)
		}
		w.directories, w.entries = 0, 0
		if err := iotest.TestReader(iotest.OneByteReader(open()), []byte(want)); err != nil {
			t.Error(err)
		}
		if w.clients != 0 {
			t.Errorf("%d directories are open", w.clients)
		}
	}
	got := read(t, newWalker(m, 0).names(Root{Path: vfs.Root}))
	if want := "a b c l b/.h b/deep b/up b/x b/.h/y b/deep/er b/deep/er/z"; strings.Join(got, " ") != want {
		t.Errorf("names: %q", got)
	}
	got = read(t, newWalker(m, 0).names(Root{"/b/deep", "b/deep/"}, Root{"/missing", "missing/"}, Root{"/c", "c/"}, Root{"/b/.h", "h/"}))
	if want := "b/deep/er b/deep/er/z h/y"; strings.Join(got, " ") != want {
		t.Errorf("roots: %q", got)
	}
	w := newWalker(m, 0)
	r := NewTree(w.Walk, single, true, Root{"/c", "c/"})
	r.First(New(Fixed(vfs.Info{Name: "first"}), true, Names("")))
	if got := strings.Join(read(t, r), "|"); got != "first||c:" {
		t.Errorf("first: %q", got)
	}
}

// What may not be listed, has vanished or leads away is left out; a name that
// cannot be written is not gone into either.
func TestTreeLeavesOut(t *testing.T) {
	m := tree(t, "/a/x", "/b/x", "/c/x", "/d/x", "/e\n/x", "/f/x")
	w := newWalker(m, 0)
	w.forbid["/a"], w.forbid["/b"], w.forbid["/c"] = fs.ErrPermission, &fs.PathError{Err: fs.ErrNotExist}, vfs.ErrNotDirectory
	if got := strings.Join(read(t, w.names(Root{Path: vfs.Root})), " "); got != "a b c d f d/x f/x" {
		t.Errorf("%q", got)
	}
	broken := errors.New("broken")
	w = newWalker(m, 0)
	w.forbid["/d"] = broken
	text, err := io.ReadAll(w.names(Root{Path: vfs.Root}))
	if !errors.Is(err, broken) || !bytes.HasSuffix(text, []byte("c/x\r\n")) {
		t.Errorf("%q, %v", text, err)
	}
	w = newWalker(m, 0)
	w.forbid["/"] = fs.ErrPermission
	if err := w.names(Root{Path: vfs.Root}).Begin(); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("the root's own error is %v", err)
	}
	w = newWalker(m, 0)
	r := w.names(Root{Path: vfs.Root})
	if err := r.Begin(); err != nil || w.clients != 1 {
		t.Fatalf("%v, %d open", err, w.clients)
	}
	for range 2 {
		if err := r.Close(); err != nil || w.clients != 0 {
			t.Errorf("%v, %d open", err, w.clients)
		}
	}
	if n, err := r.Read(make([]byte, 9)); n != 0 || err == nil {
		t.Errorf("Read after Close: %d, %v", n, err)
	}
}

func TestTreeLimits(t *testing.T) {
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf("/d%02d/x", i))
	}
	m := tree(t, append(all, "/d00/1/2/3/4/5/6/7/8")...)
	for what, c := range map[string]struct {
		set   func(*Limits)
		err   error
		lines int
	}{
		"none":             {func(l *Limits) { l.Depth = 8 }, nil, 48},
		"entries":          {func(l *Limits) { l.Entries = 30 }, ErrEntries, 30},
		"entries, at 0":    {func(l *Limits) { l.Entries = -1 }, ErrEntries, 0},
		"entries, just":    {func(l *Limits) { l.Entries, l.Depth = 48, 8 }, nil, 48},
		"one fewer":        {func(l *Limits) { l.Entries, l.Depth = 47, 8 }, ErrEntries, 47},
		"directories":      {func(l *Limits) { l.Directories = 3 }, ErrDirectories, 20 + 2 + 1},
		"depth":            {func(l *Limits) { l.Depth = 1 }, ErrDepth, 20 + 21},
		"depth of the top": {func(l *Limits) { l.Depth = 0 }, ErrDepth, 20},
		"time":             {func(l *Limits) { l.Time = -1 }, ErrTime, 0},
		"unsorted":         {func(l *Limits) { l.Sorted, l.Entries = -1, 30 }, ErrEntries, 30},
	} {
		w := newWalker(m, 0)
		c.set(&w.Limits)
		text, err := io.ReadAll(w.names(Root{Path: vfs.Root}))
		if !errors.Is(err, c.err) || strings.Count(string(text), "\r\n") != c.lines {
			t.Errorf("%s: %v after %d lines", what, err, strings.Count(string(text), "\r\n"))
		}
		if w.clients != 0 && c.err == nil {
			t.Errorf("%s: %d directories are open", what, w.clients)
		}
	}
}

// The client's time is not the server's: a slow reader meets no limit.
func TestTreeTime(t *testing.T) {
	m := tree(t, "/a/x", "/b/x")
	w := newWalker(m, 0)
	w.Limits.Time = time.Minute
	r := w.names(Root{Path: vfs.Root})
	w.spent = 59 * time.Second // as if the server had worked
	w.began = noon             // long ago: what lies between two reads does not count
	if got := read(t, r); len(got) != 4 {
		t.Errorf("%q", got)
	}
	if w.spent < 59*time.Second || w.spent > time.Minute {
		t.Errorf("%v were spent", w.spent)
	}
}

// However long the tree is, little of it is held.
func TestTreeIsLazy(t *testing.T) {
	w := &Walk{Limits: Limits{Entries: 1 << 40, Directories: 1 << 30, Depth: 1 << 20, Time: time.Hour, Sorted: 100}, Dots: true}
	made := 0
	w.Open = func(p vfs.Path) (vfs.Dir, vfs.Path, error) {
		made++
		return Fixed(vfs.Info{Name: "a"}, vfs.Info{Name: "b", Mode: fs.ModeDir}), p, nil
	}
	r := NewTree(w, single, true, Root{vfs.Root, "/"})
	buf := make([]byte, 4<<10)
	for range 10 {
		if _, err := r.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	if made > 2000 || len(r.left) > 2 || cap(r.memory) > 256<<10 {
		t.Errorf("%d directories were read, %d wait, %d bytes are held", made, len(r.left), cap(r.memory))
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(r.left, nil) {
		t.Error("directories wait after Close")
	}
}
