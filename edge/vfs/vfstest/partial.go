package vfstest

import (
	"io"
	"io/fs"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func partialChecks() []check {
	return []check{
		{"kept", (*bed).testKept},
		{"not kept", (*bed).testNotKept},
		{"append", (*bed).testPartialAppend},
		{"offset", (*bed).testPartialOffset},
		{"again", (*bed).testPartialAgain},
		{"anew", (*bed).testPartialAnew},
		{"one at a time", (*bed).testPartialBusy},
		{"published meanwhile", (*bed).testPartialPublished},
		{"opened", (*bed).testPartialOpened},
		{"drop", (*bed).testPartialDrop},
		{"folder", (*bed).testPartialFolder},
	}
}

func annNew() vfs.StageOptions { return vfs.StageOptions{Owner: "ann"} }

func annAt(offset int64) vfs.StageOptions { return vfs.StageOptions{Owner: "ann", Offset: offset} }

func annAppends() vfs.StageOptions { return vfs.StageOptions{Owner: "ann", Append: true} }

// kept checks what is kept for ann.
func (b *bed) kept(p vfs.Path, size int64) {
	b.Helper()
	info, err := b.partials().Partial("ann", p)
	b.ok(err)
	if info.Name != p.Base() || info.Size != size || !info.Mode.IsRegular() || info.ModTime.IsZero() {
		b.Fatalf("partial upload of %s: %+v, want %d bytes", p, info, size)
	}
	all, err := b.partials().Partials("ann", p.Dir())
	b.ok(err)
	for _, each := range all {
		if each.Name == p.Base() && each.Size == size {
			return
		}
	}
	b.Fatalf("%s is not among %+v", p, all)
}

// nothing checks that nothing is kept of p.
func (b *bed) nothing(owner string, p vfs.Path) {
	b.Helper()
	_, err := b.partials().Partial(owner, p)
	b.is(err, fs.ErrNotExist)
	all, err := b.partials().Partials(owner, p.Dir())
	b.ok(err)
	for _, each := range all {
		if each.Name == p.Base() {
			b.Fatalf("%s is among %+v", p, all)
		}
	}
}

func (b *bed) testKept() {
	b.partials()
	b.ok(b.w.Mkdir("/d"))
	b.interrupt("/d/f", annNew(), "12345")
	b.kept("/d/f", 5)
	b.absent("/d/f")
	b.lists("/d")
	b.nothing("bob", "/d/f")
	b.nothing("", "/d/f")
	b.nothing("ann", "/f")
	_, err := b.fs.Open("/d/f")
	b.is(err, fs.ErrNotExist)
	_, err = b.w.Stage("/d/f", vfs.StageOptions{Owner: "bob", Offset: 5})
	b.is(err, fs.ErrNotExist)
}

func (b *bed) testNotKept() {
	b.partials()
	b.put("/old", "old")
	b.interrupt("/old", annNew(), "12345")
	b.interrupt("/anon", vfs.StageOptions{}, "12345")
	b.ok(b.stage("/empty", annNew()).Discard(true))
	s := b.stage("/dropped", annNew())
	b.write(s, "x")
	b.ok(s.Discard(false))
	for _, p := range []vfs.Path{"/old", "/anon", "/empty", "/dropped"} {
		b.nothing("ann", p)
		b.nothing("", p)
	}
	b.holds("/old", "old")
	b.lists("/", "old")
}

func (b *bed) testPartialAppend() {
	b.partials()
	b.interrupt("/f", annNew(), "12345")
	s := b.stage("/f", annAppends())
	if s.Size() != 5 {
		b.Errorf("Size is %d", s.Size())
	}
	b.write(s, "678")
	b.absent("/f")
	b.commit(s)
	b.holds("/f", "12345678")
	b.nothing("ann", "/f")
	b.lists("/", "f")
	info, err := b.fs.Stat("/f")
	b.ok(err)
	if info.Mode != 0o644 {
		b.Errorf("mode is %v", info.Mode)
	}
	// Another owner's append begins a file of its own.
	b.interrupt("/g", annNew(), "12345")
	b.upload("/g", vfs.StageOptions{Owner: "bob", Append: true}, "bob")
	b.holds("/g", "bob")
	b.nothing("ann", "/g")
}

func (b *bed) testPartialOffset() {
	b.partials()
	b.interrupt("/f", annNew(), "12345")
	_, err := b.w.Stage("/f", annAt(6))
	b.is(err, vfs.ErrOffset)
	b.kept("/f", 5)
	// What is behind the offset was never confirmed.
	s := b.stage("/f", annAt(3))
	b.write(s, "x")
	b.commit(s)
	b.holds("/f", "123x")
	b.interrupt("/g", annNew(), "12345")
	b.upload("/g", annAt(5), "6")
	b.holds("/g", "123456")
	b.nothing("ann", "/g")
}

func (b *bed) testPartialAgain() {
	b.partials()
	b.interrupt("/f", annNew(), "1")
	b.interrupt("/f", annAppends(), "2")
	b.interrupt("/f", annAt(2), "3")
	b.kept("/f", 3)
	s := b.stage("/f", annAppends())
	b.write(s, "4")
	b.ok(s.Discard(false))
	b.nothing("ann", "/f")
	b.lists("/")
}

func (b *bed) testPartialAnew() {
	b.partials()
	b.interrupt("/f", annNew(), "12345")
	b.interrupt("/f", annNew(), "ab")
	b.kept("/f", 2)
	b.upload("/f", annNew(), "whole")
	b.holds("/f", "whole")
	b.nothing("ann", "/f")
}

func (b *bed) testPartialBusy() {
	b.partials()
	b.interrupt("/f", annNew(), "12")
	s := b.stage("/f", annAppends())
	_, err := b.w.Stage("/f", annAppends())
	b.is(err, vfs.ErrBusy)
	b.is(b.partials().DropPartial("ann", "/f"), vfs.ErrBusy)
	b.write(s, "3")
	b.ok(s.Discard(true))
	b.kept("/f", 3)
	b.upload("/f", annAppends(), "4")
	b.holds("/f", "1234")
}

func (b *bed) testPartialPublished() {
	b.partials()
	b.interrupt("/f", annNew(), "12345")
	b.put("/f", "published")
	b.nothing("ann", "/f")
	b.upload("/f", annAppends(), "+")
	b.holds("/f", "published+")
	b.ok(b.w.Remove("/f"))
	b.nothing("ann", "/f")
	// Published while the upload goes on: the last one to commit wins.
	b.interrupt("/g", annNew(), "12345")
	s := b.stage("/g", annAppends())
	b.put("/g", "published")
	b.write(s, "6")
	b.commit(s)
	b.holds("/g", "123456")
	// Published while it goes on, then interrupted: the published one stays.
	b.interrupt("/h", annNew(), "12345")
	s = b.stage("/h", annAppends())
	b.put("/h", "published")
	b.write(s, "6")
	b.ok(s.Discard(true))
	b.holds("/h", "published")
	b.nothing("ann", "/h")
	b.lists("/", "g", "h")
}

func (b *bed) testPartialOpened() {
	p := b.partials()
	open := func(owner string) error {
		_, err := p.OpenPartial(owner, "/f")
		return err
	}
	b.is(open("ann"), fs.ErrNotExist)
	b.interrupt("/f", annNew(), "12345")
	b.is(open("bob"), fs.ErrNotExist)
	f, err := p.OpenPartial("ann", "/f")
	b.ok(err)
	text, err := io.ReadAll(f)
	b.ok(err)
	info, err := f.Stat()
	b.ok(err)
	if string(text) != "12345" || info.Size() != 5 {
		b.Errorf("%q, %d bytes", text, info.Size())
	}
	b.ok(f.Close())
	b.kept("/f", 5)
	s := b.stage("/f", annAppends())
	b.is(open("ann"), vfs.ErrBusy)
	b.commit(s)
	b.is(open("ann"), fs.ErrNotExist)
}

func (b *bed) testPartialDrop() {
	p := b.partials()
	b.is(p.DropPartial("ann", "/f"), fs.ErrNotExist)
	b.interrupt("/f", annNew(), "12345")
	b.is(p.DropPartial("bob", "/f"), fs.ErrNotExist)
	b.ok(p.DropPartial("ann", "/f"))
	b.nothing("ann", "/f")
	b.is(p.DropPartial("ann", "/f"), fs.ErrNotExist)
}

// What is kept in a directory does not keep it from being removed, goes with it,
// and follows it when it is renamed.
func (b *bed) testPartialFolder() {
	b.partials()
	b.ok(b.w.Mkdir("/d"))
	b.interrupt("/d/f", annNew(), "12345")
	b.ok(b.w.Rename("/d", "/e"))
	b.nothing("ann", "/d/f")
	b.kept("/e/f", 5)
	b.upload("/e/f", annAppends(), "6")
	b.holds("/e/f", "123456")
	b.interrupt("/e/g", annNew(), "12345")
	b.is(b.w.Rmdir("/e"), vfs.ErrNotEmpty)
	b.kept("/e/g", 5)
	b.ok(b.w.Remove("/e/f"))
	b.ok(b.w.Rmdir("/e"))
	b.ok(b.w.Mkdir("/e"))
	b.nothing("ann", "/e/g")
	b.lists("/e")
}
