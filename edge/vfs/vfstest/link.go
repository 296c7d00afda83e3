package vfstest

import (
	"io/fs"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func linkChecks() []check {
	return []check{
		{"inside", (*bed).testLinkInside},
		{"outside", (*bed).testLinkOutside},
		{"loop", (*bed).testLinkLoop},
		{"upload", (*bed).testLinkUpload},
		{"upload through folders", (*bed).testLinkFolders},
		{"remove and rename", (*bed).testLinkRemove},
		{"attributes", (*bed).testLinkAttributes},
	}
}

func (b *bed) testLinkInside() {
	b.ok(b.w.Mkdir("/d"))
	b.put("/d/f", "file")
	b.symlink("d", "/ld")
	b.symlink("ld/f", "/lf")
	b.symlink("../d/../d/./f", "/d/up")
	b.holds("/lf", "file")
	b.holds("/ld/f", "file")
	b.holds("/ld/up", "file")
	info, err := b.fs.Stat("/lf")
	b.ok(err)
	if info.Name != "lf" || info.Size != 4 || !info.Mode.IsRegular() || info.Target != "" {
		b.Errorf("Stat: %+v", info)
	}
	info, err = b.fs.Lstat("/lf")
	b.ok(err)
	if info.Name != "lf" || info.Mode&fs.ModeSymlink == 0 || info.Target != "ld/f" {
		b.Errorf("Lstat: %+v", info)
	}
	b.lists("/ld", "f", "up")
	for _, entry := range b.entries("/", 9) {
		if entry.Name == "lf" && (entry.Target != "ld/f" || entry.Mode&fs.ModeSymlink == 0) {
			b.Errorf("listed: %+v", entry)
		}
	}
}

func (b *bed) testLinkOutside() {
	b.ok(b.w.Mkdir("/d"))
	b.ok(b.w.Mkdir("/o"))
	links := map[vfs.Path]string{
		"/abs": "/", "/absfile": "/etc/passwd", "/up": "..", "/upfile": "../x", "/d/up": "../..", "/d/up2": "../../d/x",
		"/chain": "up", "/chain2": "chain/etc/passwd",
	}
	for p, target := range links {
		b.symlink(target, p)
	}
	for p := range links {
		_, err := b.fs.Open(p)
		b.is(err, vfs.ErrEscapes)
		_, err = b.fs.Stat(p)
		b.is(err, vfs.ErrEscapes)
		_, err = b.fs.ReadDir(p)
		b.is(err, vfs.ErrEscapes)
		_, err = b.fs.Open(p.Join("etc").Join("passwd"))
		b.is(err, vfs.ErrEscapes)
		for _, opt := range []vfs.StageOptions{{}, {Append: true}, {Offset: 1}} {
			_, err = b.w.Stage(p, opt)
			b.is(err, vfs.ErrEscapes)
			_, err = b.w.Stage(p.Join("f"), opt)
			b.is(err, vfs.ErrEscapes)
		}
		_, err = b.w.Stage(p.Join("f"), vfs.StageOptions{Unique: true})
		b.is(err, vfs.ErrEscapes)
		b.is(b.w.Mkdir(p.Join("n")), vfs.ErrEscapes)
		b.is(b.w.Rmdir(p.Join("n")), vfs.ErrEscapes)
		b.is(b.w.Remove(p.Join("n")), vfs.ErrEscapes)
		b.is(b.w.Rename("/o", p.Join("n")), vfs.ErrEscapes)
		b.is(b.w.Rename(p.Join("n"), "/n"), vfs.ErrEscapes)
		if c, ok := b.fs.(vfs.Chmodder); ok {
			b.is(c.Chmod(p, 0o777), vfs.ErrEscapes)
			b.is(c.Chmod(p.Join("n"), 0o777), vfs.ErrEscapes)
		}
		if _, err = b.fs.Lstat(p); err != nil {
			b.Error(err)
		}
	}
}

func (b *bed) testLinkLoop() {
	b.symlink("b", "/a")
	b.symlink("a", "/b")
	b.symlink("self/x", "/self")
	for _, p := range []vfs.Path{"/a", "/a/x", "/self"} {
		_, err := b.fs.Open(p)
		b.is(err, fs.ErrInvalid)
		_, err = b.fs.Stat(p)
		b.is(err, fs.ErrInvalid)
		_, err = b.fs.ReadDir(p)
		b.is(err, fs.ErrInvalid)
		_, err = b.w.Stage(p, vfs.StageOptions{})
		b.is(err, fs.ErrInvalid)
	}
}

// The upload goes where the link leads, and the link stays.
func (b *bed) testLinkUpload() {
	b.ok(b.w.Mkdir("/d"))
	b.put("/d/f", "old")
	b.symlink("d/f", "/l")
	b.symlink("d/none", "/dangling")
	b.put("/l", "new")
	b.holds("/d/f", "new")
	b.upload("/l", vfs.StageOptions{Append: true}, "er")
	b.upload("/l", vfs.StageOptions{Offset: 1}, "E")
	b.holds("/d/f", "nEwer")
	b.put("/dangling", "now there")
	b.holds("/d/none", "now there")
	for _, p := range []vfs.Path{"/l", "/dangling"} {
		if info, err := b.fs.Lstat(p); err != nil || info.Mode&fs.ModeSymlink == 0 {
			b.Errorf("the link %s became %v, %v", p, info.Mode, err)
		}
	}
	b.lists("/", "d", "l", "dangling")
	b.lists("/d", "f", "none")
	b.symlink("d", "/ld")
	_, err := b.w.Stage("/ld", vfs.StageOptions{})
	b.is(err, vfs.ErrIsDirectory)
}

// ".." of a link's target is that of the directory which really holds the link.
func (b *bed) testLinkFolders() {
	for _, p := range []vfs.Path{"/a", "/a/b", "/c"} {
		b.ok(b.w.Mkdir(p))
	}
	b.symlink("a/b", "/short")
	b.symlink("../target", "/a/b/l")
	b.put("/short/l", "one")
	b.holds("/a/target", "one")
	b.put("/short/l", "two")
	b.holds("/a/target", "two")
	b.absent("/target")
	if p, ok := b.fs.(vfs.Partials); ok {
		b.symlink("../part", "/a/b/p")
		b.interrupt("/short/p", annNew(), "12345")
		info, err := p.Partial("ann", "/short/p")
		b.ok(err)
		if info.Name != "p" || info.Size != 5 {
			b.Errorf("partial upload: %+v", info)
		}
		b.kept("/a/part", 5)
	}
}

func (b *bed) testLinkRemove() {
	b.ok(b.w.Mkdir("/d"))
	b.put("/d/f", "file")
	b.symlink("d", "/ld")
	b.symlink("d/f", "/lf")
	b.is(b.w.Rmdir("/ld"), vfs.ErrNotDirectory)
	b.ok(b.w.Rename("/ld", "/ld2"))
	b.lists("/ld2", "f")
	b.ok(b.w.Remove("/ld2"))
	b.ok(b.w.Rename("/lf", "/lf2"))
	b.put("/g", "g")
	b.ok(b.w.Rename("/g", "/lf2"))
	b.holds("/lf2", "g")
	b.holds("/d/f", "file")
	b.lists("/", "d", "lf2")
}

func (b *bed) testLinkAttributes() {
	b.put("/f", "file")
	b.symlink("f", "/l")
	c, ok := b.fs.(vfs.Chmodder)
	if !ok {
		b.Skip("the filesystem is no vfs.Chmodder")
	}
	b.ok(c.Chmod("/l", 0o600))
	info, err := b.fs.Stat("/f")
	b.ok(err)
	if info.Mode != 0o600 {
		b.Errorf("mode is %v", info.Mode)
	}
}
