package vfstest

import (
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func readChecks() []check {
	return []check{
		{"root", (*bed).testRoot},
		{"open", (*bed).testOpen},
		{"stat", (*bed).testStat},
		{"missing", (*bed).testMissing},
		{"portions", (*bed).testPortions},
		{"vanishing", (*bed).testVanishing},
		{"names", (*bed).testNames},
		{"long names", (*bed).testLongNames},
		{"deep", (*bed).testDeep},
		{"hidden names", (*bed).testHiddenNames},
	}
}

func (b *bed) testRoot() {
	info, err := b.fs.Stat(vfs.Root)
	b.ok(err)
	if !info.IsDir() || info.Name != "/" {
		b.Errorf("the root is %+v", info)
	}
	b.lists(vfs.Root)
	_, err = b.fs.Open(vfs.Root)
	b.is(err, vfs.ErrIsDirectory)
	if _, err = b.fs.Lstat(vfs.Root); err != nil {
		b.Error(err)
	}
	_, err = b.fs.Stat("")
	b.is(err, fs.ErrInvalid)
}

func (b *bed) testOpen() {
	b.put("/f", "hello")
	f, err := b.fs.Open("/f")
	b.ok(err)
	defer f.Close()
	info, err := f.Stat()
	b.ok(err)
	if info.Size() != 5 {
		b.Errorf("Size is %d", info.Size())
	}
	at, err := f.Seek(3, io.SeekStart)
	b.ok(err)
	rest, err := io.ReadAll(f)
	b.ok(err)
	if at != 3 || string(rest) != "lo" {
		b.Errorf("after Seek to %d: %q", at, rest)
	}
	// What was opened stays whole when its name is given to something else.
	_, err = f.Seek(0, io.SeekStart)
	b.ok(err)
	b.put("/f", "other")
	all, err := io.ReadAll(f)
	b.ok(err)
	if string(all) != "hello" {
		b.Errorf("a file replaced while open reads %q", all)
	}
}

func (b *bed) testStat() {
	before := time.Now().Add(-time.Minute)
	b.put("/f", "hello")
	b.ok(b.w.Mkdir("/d"))
	for _, stat := range []func(vfs.Path) (vfs.Info, error){b.fs.Stat, b.fs.Lstat} {
		info, err := stat("/f")
		b.ok(err)
		if info.Name != "f" || info.Size != 5 || info.Mode != 0o644 || info.ModTime.Before(before) || info.Links != 1 {
			b.Errorf("file: %+v", info)
		}
		info, err = stat("/d")
		b.ok(err)
		if info.Name != "d" || info.Mode != fs.ModeDir|0o755 {
			b.Errorf("directory: %+v", info)
		}
	}
	for _, listed := range b.entries("/", 9) {
		info, err := b.fs.Lstat(vfs.Root.Join(listed.Name))
		b.ok(err)
		if !listed.ModTime.Equal(info.ModTime) {
			b.Errorf("times differ: %v and %v", listed.ModTime, info.ModTime)
		}
		if !listed.Birth.IsZero() && !listed.Birth.Equal(info.Birth) {
			b.Errorf("times of birth differ: %v and %v", listed.Birth, info.Birth)
		}
		listed.ModTime, listed.Birth = info.ModTime, info.Birth
		if listed != info {
			b.Errorf("listed as %+v, but Lstat says %+v", listed, info)
		}
	}
}

func (b *bed) testMissing() {
	b.put("/f", "")
	for _, p := range []vfs.Path{"/no", "/no/no"} {
		_, err := b.fs.Open(p)
		b.is(err, fs.ErrNotExist)
		_, err = b.fs.Stat(p)
		b.is(err, fs.ErrNotExist)
		_, err = b.fs.Lstat(p)
		b.is(err, fs.ErrNotExist)
		_, err = b.fs.ReadDir(p)
		b.is(err, fs.ErrNotExist)
	}
	_, err := b.fs.ReadDir("/f")
	b.is(err, vfs.ErrNotDirectory)
	_, err = b.fs.Open("/f/g")
	b.is(err, vfs.ErrNotDirectory)
	_, err = b.fs.Stat("/f/g")
	b.is(err, vfs.ErrNotDirectory)
}

func (b *bed) testPortions() {
	want := make(map[string]bool)
	for i := range 700 {
		name := strings.Repeat("n", 1+i%50) + "-" + time.Duration(i).String()
		want[name] = true
		b.ok(b.w.Mkdir(vfs.Root.Join(name)))
	}
	for _, n := range []int{1, 7, 512, 5000} {
		seen := make(map[string]bool)
		for _, info := range b.entries("/", n) {
			if !want[info.Name] || seen[info.Name] || !info.IsDir() {
				b.Fatalf("unexpected entry %+v", info)
			}
			seen[info.Name] = true
		}
		if len(seen) != len(want) {
			b.Fatalf("portions of %d: %d of %d entries", n, len(seen), len(want))
		}
	}
}

func (b *bed) testVanishing() {
	for _, p := range []vfs.Path{"/a", "/b", "/c"} {
		b.put(p, "x")
	}
	d, err := b.fs.ReadDir("/")
	b.ok(err)
	defer d.Close()
	some, err := d.Next(1)
	b.ok(err)
	for _, p := range []vfs.Path{"/a", "/b", "/c"} {
		if p.Base() != some[0].Name {
			b.ok(b.w.Remove(p))
		}
	}
	if rest, err := d.Next(9); err != io.EOF || len(rest) > 0 {
		b.Errorf("after removal: %v, %v", rest, err)
	}
}

func (b *bed) testNames() {
	names := []string{"-la", "--", " lead", "trail ", "a\\b", "*", "?x", "\xff\xfe", "\u202egnp", "\u00e9", "e\u0301",
		"tab\there", "\x1b[31m", "\x7f", "...", ".dot", "~", "%2e%2e", "a:b", strings.Repeat("ü", 100)}
	for _, name := range names {
		b.put(vfs.Root.Join(name), name)
	}
	b.lists("/", names...)
	for _, name := range names {
		b.holds(vfs.Root.Join(name), name)
	}
}

func (b *bed) testLongNames() {
	long := strings.Repeat("x", vfs.MaxName)
	p := vfs.Root.Join(long)
	b.put(p, "one")
	b.put(p, "two")
	b.upload(p, vfs.StageOptions{Append: true}, "three")
	b.upload(p, vfs.StageOptions{Offset: 1}, "W")
	b.holds(p, "tWothree")
	b.ok(b.w.Rename(p, "/"+vfs.Path(strings.Repeat("y", vfs.MaxName))))
	longer := vfs.Path("/" + long + "x")
	_, err := b.w.Stage(longer, vfs.StageOptions{})
	b.is(err, vfs.ErrNameTooLong)
	b.is(b.w.Mkdir(longer), vfs.ErrNameTooLong)
	_, err = b.fs.Open(longer)
	b.is(err, vfs.ErrNameTooLong)
	_, err = b.w.Stage(p, vfs.StageOptions{Unique: true})
	b.is(err, vfs.ErrNameTooLong)
}

// A path longer than what the host takes in one call.
func (b *bed) testDeep() {
	p := vfs.Root
	for len(p)+201 < vfs.MaxPath {
		p = p.Join(strings.Repeat("d", 200))
		b.ok(b.w.Mkdir(p))
	}
	f := p.Join("file")
	b.put(f, "deep")
	b.put(f, "deeper")
	b.upload(f, vfs.StageOptions{Append: true}, "!")
	b.holds(f, "deeper!")
	b.lists(p, "file")
	b.ok(b.w.Remove(f))
	for ; p != vfs.Root; p = p.Dir() {
		b.ok(b.w.Rmdir(p))
	}
}

// What an upload needs for itself is not to be seen while it runs.
func (b *bed) testHiddenNames() {
	b.put("/old", "old")
	stages := []vfs.Stage{b.stage("/old", vfs.StageOptions{}), b.stage("/new", vfs.StageOptions{}),
		b.stage("/old", vfs.StageOptions{Offset: 1}), b.stage("/u", vfs.StageOptions{Unique: true})}
	for _, s := range stages {
		b.write(s, "half")
	}
	b.lists("/", "old")
	b.absent("/new")
	b.absent(stages[3].Path())
	b.holds("/old", "old")
	for _, s := range stages {
		b.ok(s.Discard(false))
	}
	b.lists("/", "old")
}
