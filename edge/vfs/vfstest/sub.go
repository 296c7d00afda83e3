package vfstest

import (
	"context"
	"io"
	"io/fs"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func subChecks() []check {
	return []check{
		{"view", (*bed).testSubView},
		{"links", (*bed).testSubLinks},
		{"refused", (*bed).testSubRefused},
		{"abilities", (*bed).testSubAbilities},
		{"partial", (*bed).testSubPartial},
		{"appends", (*bed).testSubAppends},
		{"renamed", (*bed).testSubRenamed},
		{"removed", (*bed).testSubRemoved},
	}
}

// sub returns a bed for the view of dir, or skips the test.
func (b *bed) sub(dir vfs.Path) *bed {
	b.Helper()
	s, ok := b.fs.(vfs.Subber)
	if !ok {
		b.Skip("the filesystem is no vfs.Subber")
	}
	view, err := s.Sub(dir)
	b.ok(err)
	closeLater(b.T, view)
	return newBed(b.T, view)
}

func closeLater(t *testing.T, view vfs.FS) {
	if c, ok := view.(io.Closer); ok {
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Both see the same files, each under its own names.
func (b *bed) testSubView() {
	b.ok(b.w.Mkdir("/home"))
	b.ok(b.w.Mkdir("/home/ann"))
	b.put("/home/ann/f", "file")
	v := b.sub("/home/ann")
	v.holds("/f", "file")
	v.lists("/", "f")
	v.absent("/home")
	v.put("/g", "new")
	b.holds("/home/ann/g", "new")
	v.ok(v.w.Mkdir("/d"))
	v.ok(v.w.Rename("/g", "/d/g"))
	b.lists("/home/ann", "f", "d")
	b.is(v.w.Rmdir("/"), vfs.ErrRoot)
	b.is(v.w.Rename("/", "/x"), vfs.ErrRoot)
	info, err := v.fs.Stat("/")
	b.ok(err)
	if info.Name != "/" || !info.IsDir() {
		b.Errorf("the root of the view is %+v", info)
	}
	// A view of a view, and of everything.
	v.sub("/d").holds("/g", "new")
	b.sub("/").holds("/home/ann/f", "file")
}

// What leads out of the view is refused, though it stays inside the filesystem.
func (b *bed) testSubLinks() {
	b.ok(b.w.Mkdir("/home"))
	b.ok(b.w.Mkdir("/home/d"))
	b.put("/home/f", "inside")
	b.put("/secret", "secret")
	links := map[vfs.Path]string{"/home/out": "../secret", "/home/d/out": "../../secret", "/home/up": "..", "/home/around": "../home/f"}
	for p, target := range links {
		b.symlink(target, p)
	}
	b.symlink("../f", "/home/d/in")
	b.symlink("home", "/to-home")
	v := b.sub("/to-home")
	v.holds("/d/in", "inside")
	for p := range links {
		p = p[len("/home"):]
		_, err := v.fs.Open(p)
		b.is(err, vfs.ErrEscapes)
		_, err = v.fs.Stat(p)
		b.is(err, vfs.ErrEscapes)
		_, err = v.w.Stage(p, vfs.StageOptions{})
		b.is(err, vfs.ErrEscapes)
		b.is(v.w.Mkdir(p.Join("n")), vfs.ErrEscapes)
		if s, ok := v.fs.(vfs.Symlinker); ok {
			b.is(s.Symlink(links["/home"+p], "/again"), vfs.ErrEscapes)
			b.is(s.Symlink(string(p), "/again"), vfs.ErrEscapes)
		}
	}
	if s, ok := v.fs.(vfs.Symlinker); ok {
		b.ok(s.Symlink("/f", "/d/abs"))
		v.holds("/d/abs", "inside")
		b.holds("/home/d/abs", "inside")
	}
	b.holds("/secret", "secret")
}

func (b *bed) testSubRefused() {
	s, ok := b.fs.(vfs.Subber)
	if !ok {
		b.Skip("the filesystem is no vfs.Subber")
	}
	b.put("/f", "")
	for p, want := range map[vfs.Path]error{"/no": fs.ErrNotExist, "/f": vfs.ErrNotDirectory, "/f/g": vfs.ErrNotDirectory, "": fs.ErrInvalid} {
		_, err := s.Sub(p)
		b.is(err, want)
	}
	if _, ok := b.fs.(LinkWriter); ok {
		b.symlink("..", "/up")
		_, err := s.Sub("/up")
		b.is(err, vfs.ErrEscapes)
	}
}

// A view can do what the filesystem can.
func (b *bed) testSubAbilities() {
	v := b.sub("/")
	for what, has := range map[string]func(vfs.FS) bool{
		"Chmodder":     func(f vfs.FS) bool { _, ok := f.(vfs.Chmodder); return ok },
		"Chtimer":      func(f vfs.FS) bool { _, ok := f.(vfs.Chtimer); return ok },
		"Birther":      func(f vfs.FS) bool { _, ok := f.(vfs.Birther); return ok },
		"Symlinker":    func(f vfs.FS) bool { _, ok := f.(vfs.Symlinker); return ok },
		"Spacer":       func(f vfs.FS) bool { _, ok := f.(vfs.Spacer); return ok },
		"Partials":     func(f vfs.FS) bool { _, ok := f.(vfs.Partials); return ok },
		"Impersonator": func(f vfs.FS) bool { _, ok := f.(vfs.Impersonator); return ok },
	} {
		if has(b.fs) != has(v.fs) {
			b.Errorf("is %s: the filesystem %v, the view %v", what, has(b.fs), has(v.fs))
		}
	}
}

// What is kept of an upload is the same in every view.
func (b *bed) testSubPartial() {
	b.ok(b.w.Mkdir("/home"))
	b.ok(b.w.Mkdir("/home/d"))
	v := b.sub("/home")
	v.partials()
	v.interrupt("/d/f", annNew(), "123")
	v.kept("/d/f", 3)
	b.kept("/home/d/f", 3)
	v.nothing("bob", "/d/f")
	b.nothing("ann", "/d/f")
	b.upload("/home/d/f", annAppends(), "45")
	v.holds("/d/f", "12345")
	v.nothing("ann", "/d/f")
	b.interrupt("/home/g", annNew(), "12")
	v.interrupt("/g", annAppends(), "3")
	v.upload("/g", annAt(3), "4")
	b.holds("/home/g", "1234")
	b.nothing("ann", "/home/g")
	v.interrupt("/h", annNew(), "1")
	b.ok(b.partials().DropPartial("ann", "/home/h"))
	v.nothing("ann", "/h")
	// Another view has another file of that name.
	b.ok(b.w.Mkdir("/other"))
	o := b.sub("/other")
	v.interrupt("/same", annNew(), "1")
	o.nothing("ann", "/same")
	o.interrupt("/same", annNew(), "22")
	v.kept("/same", 1)
	o.kept("/same", 2)
}

func (b *bed) testSubAppends() {
	b.ok(b.w.Mkdir("/home"))
	v := b.sub("/home")
	v.put("/f", "1")
	s := v.stage("/f", vfs.StageOptions{Append: true})
	_, err := b.w.Stage("/home/f", vfs.StageOptions{Append: true})
	b.is(err, vfs.ErrBusy)
	b.write(s, "2")
	b.commit(s)
	b.upload("/home/f", vfs.StageOptions{Append: true}, "3")
	v.holds("/f", "123")
}

// A view follows its directory, and what is kept in it does too.
func (b *bed) testSubRenamed() {
	b.ok(b.w.Mkdir("/home"))
	b.ok(b.w.Mkdir("/home/ann"))
	v := b.sub("/home/ann")
	if _, ok := v.fs.(vfs.Partials); ok {
		v.interrupt("/part", annNew(), "123")
	}
	s := v.stage("/f", vfs.StageOptions{})
	b.write(s, "staged before")
	b.ok(b.w.Rename("/home", "/homes"))
	b.ok(b.w.Rename("/homes/ann", "/homes/eve"))
	b.commit(s)
	b.holds("/homes/eve/f", "staged before")
	v.put("/g", "after")
	b.holds("/homes/eve/g", "after")
	if _, ok := v.fs.(vfs.Partials); ok {
		v.kept("/part", 3)
		b.kept("/homes/eve/part", 3)
		v.upload("/part", annAppends(), "4")
		b.holds("/homes/eve/part", "1234")
		v.interrupt("/part2", annNew(), "1")
		b.kept("/homes/eve/part2", 1)
	}
	// A directory that takes the old name is another one.
	b.ok(b.w.Mkdir("/home"))
	b.ok(b.w.Mkdir("/home/ann"))
	v.put("/h", "still")
	b.lists("/home/ann")
	b.holds("/homes/eve/h", "still")
}

func (b *bed) testSubRemoved() {
	b.ok(b.w.Mkdir("/home"))
	v := b.sub("/home")
	s := v.stage("/f", vfs.StageOptions{Owner: "ann"})
	b.write(s, "x")
	b.ok(b.w.Rmdir("/home"))
	b.is(s.Commit(context.Background()), fs.ErrNotExist)
	b.is(v.w.Mkdir("/d"), fs.ErrNotExist)
	_, err := v.w.Stage("/f", vfs.StageOptions{})
	b.is(err, fs.ErrNotExist)
	_, err = v.fs.Open("/f")
	b.is(err, fs.ErrNotExist)
	b.ok(b.w.Mkdir("/home"))
	b.is(v.w.Mkdir("/d"), fs.ErrNotExist)
	b.lists("/home")
}
