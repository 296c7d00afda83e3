package vfstest

import (
	"errors"
	"io/fs"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func changeChecks() []check {
	return []check{
		{"mkdir", (*bed).testMkdir},
		{"rmdir", (*bed).testRmdir},
		{"remove", (*bed).testRemove},
		{"rename", (*bed).testRename},
		{"rename refused", (*bed).testRenameRefused},
		{"chmod", (*bed).testChmod},
		{"chtimes", (*bed).testChtimes},
		{"birth", (*bed).testBirth},
		{"space", (*bed).testSpace},
	}
}

func (b *bed) testMkdir() {
	b.ok(b.w.Mkdir("/d"))
	b.ok(b.w.Mkdir("/d/e"))
	b.lists("/d", "e")
	b.put("/f", "")
	b.is(b.w.Mkdir("/d"), fs.ErrExist)
	b.is(b.w.Mkdir("/f"), fs.ErrExist)
	b.is(b.w.Mkdir("/"), fs.ErrExist)
	b.is(b.w.Mkdir("/no/d"), fs.ErrNotExist)
	b.is(b.w.Mkdir("/f/d"), vfs.ErrNotDirectory)
}

func (b *bed) testRmdir() {
	b.ok(b.w.Mkdir("/d"))
	b.put("/d/f", "")
	b.is(b.w.Rmdir("/d"), vfs.ErrNotEmpty)
	b.is(b.w.Rmdir("/d/f"), vfs.ErrNotDirectory)
	b.ok(b.w.Remove("/d/f"))
	b.ok(b.w.Rmdir("/d"))
	b.absent("/d")
	b.is(b.w.Rmdir("/d"), fs.ErrNotExist)
	b.is(b.w.Rmdir("/"), vfs.ErrRoot)
}

func (b *bed) testRemove() {
	b.put("/f", "")
	b.ok(b.w.Mkdir("/d"))
	b.is(b.w.Remove("/d"), vfs.ErrIsDirectory)
	b.is(b.w.Remove("/"), vfs.ErrIsDirectory)
	b.is(b.w.Remove("/no"), fs.ErrNotExist)
	b.is(b.w.Remove("/f/g"), vfs.ErrNotDirectory)
	b.ok(b.w.Remove("/f"))
	b.absent("/f")
}

func (b *bed) testRename() {
	b.put("/f", "f")
	b.put("/g", "g")
	b.ok(b.w.Mkdir("/d"))
	b.put("/d/h", "h")
	b.ok(b.w.Rename("/f", "/g"))
	b.absent("/f")
	b.holds("/g", "f")
	b.ok(b.w.Rename("/g", "/d/g"))
	b.ok(b.w.Rename("/d", "/e"))
	b.lists("/e", "g", "h")
	b.absent("/d")
	b.ok(b.w.Rename("/e", "/e"))
	b.holds("/e/g", "f")
}

func (b *bed) testRenameRefused() {
	b.put("/f", "f")
	b.ok(b.w.Mkdir("/d"))
	b.ok(b.w.Mkdir("/d/e"))
	b.is(b.w.Rename("/", "/x"), vfs.ErrRoot)
	b.is(b.w.Rename("/d", "/"), vfs.ErrRoot)
	b.is(b.w.Rename("/d", "/d/e/x"), fs.ErrInvalid)
	b.is(b.w.Rename("/no", "/x"), fs.ErrNotExist)
	b.is(b.w.Rename("/no", "/no"), fs.ErrNotExist)
	b.is(b.w.Rename("/f", "/no/x"), fs.ErrNotExist)
	b.is(b.w.Rename("/f", "/d"), fs.ErrExist)
	b.is(b.w.Rename("/d/e", "/d"), fs.ErrExist)
	b.is(b.w.Rename("/d", "/f"), vfs.ErrNotDirectory)
	b.is(b.w.Rename("/f", "/f/x"), fs.ErrInvalid)
	b.lists("/", "d", "f")
	b.holds("/f", "f")
}

func (b *bed) testChmod() {
	c, ok := b.fs.(vfs.Chmodder)
	if !ok {
		b.Skip("the filesystem is no vfs.Chmodder")
	}
	b.put("/f", "")
	b.ok(b.w.Mkdir("/d"))
	for _, mode := range []fs.FileMode{0o600, 0, 0o777 | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky, 0o644} {
		b.ok(c.Chmod("/f", mode))
		b.ok(c.Chmod("/d", mode|0o700))
		for p, want := range map[vfs.Path]fs.FileMode{"/f": mode.Perm(), "/d": fs.ModeDir | mode.Perm() | 0o700} {
			info, err := b.fs.Stat(p)
			b.ok(err)
			if info.Mode != want {
				b.Errorf("%s after Chmod %v: %v", p, mode, info.Mode)
			}
		}
	}
	b.is(c.Chmod("/no", 0o600), fs.ErrNotExist)
	b.ok(c.Chmod("/f", 0o640))
	b.put("/f", "replaced")
	if info, err := b.fs.Stat("/f"); err != nil || info.Mode != 0o640 {
		b.Errorf("a replaced file has mode %v, %v", info.Mode, err)
	}
}

func (b *bed) testChtimes() {
	c, ok := b.fs.(vfs.Chtimer)
	if !ok {
		b.Skip("the filesystem is no vfs.Chtimer")
	}
	b.put("/f", "")
	b.ok(b.w.Mkdir("/d"))
	for _, at := range []time.Time{time.Unix(0, 0), time.Date(2002, 7, 17, 12, 34, 56, 0, time.UTC),
		time.Date(2038, 1, 20, 0, 0, 0, 0, time.UTC)} {
		for _, p := range []vfs.Path{"/f", "/d"} {
			b.ok(c.Chtimes(p, time.Time{}, at))
			b.ok(c.Chtimes(p, at.Add(time.Hour), time.Time{})) // leaves the other one alone
			info, err := b.fs.Stat(p)
			b.ok(err)
			if !info.ModTime.Equal(at) {
				b.Errorf("%s has %v, want %v", p, info.ModTime, at)
			}
			b.ok(c.Chtimes(p, at, at.Add(time.Minute)))
			if info, err = b.fs.Stat(p); err != nil || !info.ModTime.Equal(at.Add(time.Minute)) {
				b.Errorf("%s has %v, %v", p, info.ModTime, err)
			}
		}
	}
	b.is(c.Chtimes("/no", time.Now(), time.Now()), fs.ErrNotExist)
}

// When a file was made is known, does not change when it is written to, and can be
// chosen in a Birther.
func (b *bed) testBirth() {
	before := time.Now().Add(-time.Minute)
	b.put("/f", "x")
	b.ok(b.w.Mkdir("/d"))
	b.upload("/f", vfs.StageOptions{Append: true}, "y")
	for _, p := range []vfs.Path{"/f", "/d", "/"} {
		info, err := b.fs.Lstat(p)
		b.ok(err)
		if !info.Birth.IsZero() && (p != "/" && info.Birth.Before(before) || info.Birth.After(time.Now().Add(time.Minute))) {
			b.Errorf("%s was made at %v", p, info.Birth)
		}
	}
	c, ok := b.fs.(vfs.Birther)
	if !ok {
		b.Skip("the filesystem is no vfs.Birther")
	}
	at := time.Date(2002, 7, 17, 12, 34, 56, 0, time.UTC)
	for _, p := range []vfs.Path{"/f", "/d"} {
		was, err := b.fs.Lstat(p)
		b.ok(err)
		b.ok(c.SetBirth(p, at))
		info, err := b.fs.Lstat(p)
		b.ok(err)
		if !info.Birth.Equal(at) || !info.ModTime.Equal(was.ModTime) {
			b.Errorf("%s was made at %v and changed at %v", p, info.Birth, info.ModTime)
		}
	}
	b.upload("/f", vfs.StageOptions{Append: true}, "z")
	if info, err := b.fs.Lstat("/f"); err != nil || !info.Birth.Equal(at) {
		b.Errorf("after an append: made at %v, %v", info.Birth, err)
	}
	b.is(c.SetBirth("/no", at), fs.ErrNotExist)
}

func (b *bed) testSpace() {
	c, ok := b.fs.(vfs.Spacer)
	if !ok {
		b.Skip("the filesystem is no vfs.Spacer")
	}
	b.put("/f", "x")
	b.ok(b.w.Mkdir("/d"))
	for _, p := range []vfs.Path{"/", "/d"} {
		free, err := c.Space(p)
		if errors.Is(err, errors.ErrUnsupported) {
			b.Skip("the host does not tell")
		}
		if err != nil || free <= 0 {
			b.Errorf("Space of %s is %d, %v", p, free, err)
		}
	}
	_, err := c.Space("/f")
	b.is(err, vfs.ErrNotDirectory)
	_, err = c.Space("/no")
	b.is(err, fs.ErrNotExist)
	_, err = c.Space("/f/g")
	b.is(err, vfs.ErrNotDirectory)
}
