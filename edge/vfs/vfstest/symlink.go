package vfstest

import (
	"io/fs"
	"strings"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func symlinkChecks() []check {
	return []check{
		{"relative", (*bed).testSymlinkRelative},
		{"absolute", (*bed).testSymlinkAbsolute},
		{"through a link", (*bed).testSymlinkThrough},
		{"outside", (*bed).testSymlinkOutside},
		{"names that exist", (*bed).testSymlinkExists},
		{"refused", (*bed).testSymlinkRefused},
	}
}

// symlinker returns the filesystem as vfs.Symlinker, or skips the test.
func (b *bed) symlinker() vfs.Symlinker {
	b.Helper()
	s, ok := b.fs.(vfs.Symlinker)
	if !ok {
		b.Skip("the filesystem is no vfs.Symlinker")
	}
	return s
}

// says checks the text of a link.
func (b *bed) says(p vfs.Path, want string) {
	b.Helper()
	info, err := b.fs.Lstat(p)
	b.ok(err)
	if info.Mode&fs.ModeSymlink == 0 || info.Target != want {
		b.Fatalf("%s has mode %v and says %q, want %q", p, info.Mode, info.Target, want)
	}
}

func (b *bed) testSymlinkRelative() {
	s := b.symlinker()
	b.ok(b.w.Mkdir("/d"))
	b.put("/d/f", "file")
	for p, target := range map[vfs.Path]string{"/l": "d/f", "/d/l": "f", "/d/up": "../d//./f", "/none": "d/none",
		"/far": "no/such/../../d/f", "/odd": "a b\t\xff", "/self": "self", "/dir": "d/"} {
		b.ok(s.Symlink(target, p))
		b.says(p, target)
	}
	b.holds("/l", "file")
	b.holds("/d/l", "file")
	b.holds("/d/up", "file")
	b.holds("/dir/f", "file")
	b.put("/none", "made through the link")
	b.holds("/d/none", "made through the link")
	_, err := b.fs.Stat("/self")
	b.is(err, fs.ErrInvalid)
	b.ok(b.w.Remove("/l"))
	b.holds("/d/f", "file")
}

// An absolute target is a path of the client's world.
func (b *bed) testSymlinkAbsolute() {
	s := b.symlinker()
	b.ok(b.w.Mkdir("/d"))
	b.ok(b.w.Mkdir("/d/e"))
	b.put("/d/f", "file")
	for _, c := range []struct {
		p            vfs.Path
		target, want string
	}{
		{"/l", "/d/f", "d/f"}, {"/d/l", "/d/f", "f"}, {"/d/e/l", "/d/f", "../f"}, {"/d/e/m", "//d/./x/../f", "../f"},
		{"/d/e/top", "/", "../.."}, {"/top", "/", "."}, {"/d/here", "/d", "."}, {"/d/e/up", "/..", "../.."}, {"/away", "/no/x", "no/x"},
	} {
		b.ok(s.Symlink(c.target, c.p))
		b.says(c.p, c.want)
	}
	for _, p := range []vfs.Path{"/l", "/d/l", "/d/e/l", "/d/e/m", "/top/d/f", "/d/e/top/d/f", "/d/here/f"} {
		b.holds(p, "file")
	}
}

// The directory that really holds a link decides where its target counts from.
func (b *bed) testSymlinkThrough() {
	s := b.symlinker()
	for _, p := range []vfs.Path{"/a", "/a/b"} {
		b.ok(b.w.Mkdir(p))
	}
	b.put("/f", "file")
	b.ok(s.Symlink("a/b", "/short"))
	b.ok(s.Symlink("/f", "/short/abs"))
	b.says("/a/b/abs", "../../f")
	b.holds("/short/abs", "file")
	b.ok(s.Symlink("../../f", "/short/rel"))
	b.holds("/a/b/rel", "file")
	b.is(s.Symlink("../../../f", "/short/out"), vfs.ErrEscapes)
	// ".." after a link is that of the directory that it leads to.
	b.ok(s.Symlink("short/../../f", "/inside"))
	b.holds("/inside", "file")
	b.ok(s.Symlink(".", "/here"))
	b.is(s.Symlink("../here/../f", "/a/out"), vfs.ErrEscapes)
}

func (b *bed) testSymlinkOutside() {
	s := b.symlinker()
	b.ok(b.w.Mkdir("/d"))
	b.put("/f", "")
	for p, targets := range map[vfs.Path][]string{
		"/l":   {"..", "../", "../x", "./../x", "d/../..", "d/../../etc/passwd", "no/../..", "no/no/../../../x", "f/../../x"},
		"/d/l": {"../..", "../../x", "../d/../../x", "no/../../../x", strings.Repeat("../", 50) + "etc/passwd"},
	} {
		for _, target := range targets {
			b.is(s.Symlink(target, p), vfs.ErrEscapes)
		}
		b.absent(p)
	}
	if _, ok := b.fs.(LinkWriter); !ok {
		return
	}
	b.symlink("/etc", "/abs")
	b.symlink("..", "/up")
	for _, target := range []string{"../abs", "../abs/passwd", "../up", "../up/x", "x/../../up/x", "/abs", "/abs/passwd", "/up"} {
		b.is(s.Symlink(target, "/d/l"), vfs.ErrEscapes)
	}
	b.lists("/d")
}

// What has the name already stays, and no link is followed.
func (b *bed) testSymlinkExists() {
	s := b.symlinker()
	b.ok(b.w.Mkdir("/d"))
	b.put("/f", "file")
	b.ok(s.Symlink("none", "/dangling"))
	b.ok(s.Symlink("d", "/ld"))
	for _, p := range []vfs.Path{"/", "/d", "/f", "/dangling", "/ld"} {
		b.is(s.Symlink("f", p), fs.ErrExist)
	}
	b.says("/dangling", "none")
	b.says("/ld", "d")
	b.lists("/d")
	b.lists("/", "d", "f", "dangling", "ld")
	b.is(s.Symlink("f", "/no/l"), fs.ErrNotExist)
	b.is(s.Symlink("f", "/f/l"), vfs.ErrNotDirectory)
}

func (b *bed) testSymlinkRefused() {
	s := b.symlinker()
	long := strings.Repeat("x", vfs.MaxName+1)
	for target, want := range map[string]error{
		"": fs.ErrInvalid, "a\x00b": vfs.ErrBadName, "a\r\nb": vfs.ErrBadName, "a\n": vfs.ErrBadName, "/a\x00": vfs.ErrBadName,
		long: vfs.ErrNameTooLong, "/" + long: vfs.ErrNameTooLong, strings.Repeat("x/", vfs.MaxPath/2): vfs.ErrNameTooLong,
	} {
		b.is(s.Symlink(target, "/l"), want)
	}
	b.is(s.Symlink("f", vfs.Path("/"+long)), vfs.ErrNameTooLong)
	b.lists("/")
}
