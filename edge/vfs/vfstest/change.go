package vfstest

import (
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
		{"chtime", (*bed).testChtime},
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

func (b *bed) testChtime() {
	c, ok := b.fs.(vfs.Chtimer)
	if !ok {
		b.Skip("the filesystem is no vfs.Chtimer")
	}
	b.put("/f", "")
	b.ok(b.w.Mkdir("/d"))
	for _, at := range []time.Time{time.Unix(0, 0), time.Date(2002, 7, 17, 12, 34, 56, 0, time.UTC),
		time.Date(2038, 1, 20, 0, 0, 0, 0, time.UTC)} {
		for _, p := range []vfs.Path{"/f", "/d"} {
			b.ok(c.Chtime(p, at))
			info, err := b.fs.Stat(p)
			b.ok(err)
			if !info.ModTime.Equal(at) {
				b.Errorf("%s has %v, want %v", p, info.ModTime, at)
			}
		}
	}
	b.is(c.Chtime("/no", time.Now()), fs.ErrNotExist)
}
