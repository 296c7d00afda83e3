package vfstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing/iotest"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func stageChecks() []check {
	return []check{
		{"new", (*bed).testNew},
		{"read at", (*bed).testReadAt},
		{"replace", (*bed).testReplace},
		{"discard", (*bed).testDiscard},
		{"end once", (*bed).testEndOnce},
		{"refused", (*bed).testStageRefused},
		{"read from", (*bed).testReadFrom},
		{"cancelled", (*bed).testCancelled},
		{"unique", (*bed).testUnique},
		{"two writers", (*bed).testTwoWriters},
		{"many writers", (*bed).testManyWriters},
		{"folder renamed", (*bed).testFolderRenamed},
		{"folder removed", (*bed).testFolderRemoved},
		{"target became a directory", (*bed).testTargetDirectory},
	}
}

func (b *bed) testNew() {
	b.ok(b.w.Mkdir("/d"))
	s := b.stage("/d/f", vfs.StageOptions{})
	if s.Path() != "/d/f" || s.Size() != 0 {
		b.Errorf("Path %q, Size %d", s.Path(), s.Size())
	}
	b.write(s, "abc")
	b.absent("/d/f")
	b.lists("/d")
	b.write(s, "def")
	if s.Size() != 6 {
		b.Errorf("Size is %d", s.Size())
	}
	b.commit(s)
	b.holds("/d/f", "abcdef")
	b.lists("/d", "f")
	b.commit(b.stage("/empty", vfs.StageOptions{}))
	b.holds("/empty", "")
}

// testReadAt: a stage that can be read shows what would be published.
func (b *bed) testReadAt() {
	b.put("/f", "0123456789")
	b.put("/g", "0123456789")
	for _, c := range []struct {
		p    vfs.Path
		opt  vfs.StageOptions
		text string
		want string
	}{
		{"/new", vfs.StageOptions{}, "abc", "abc"},
		{"/empty", vfs.StageOptions{}, "", ""},
		{"/f", vfs.StageOptions{}, "abc", "abc"},
		{"/f", vfs.StageOptions{Offset: 3}, "abc", "012abc6789"},
		{"/f", vfs.StageOptions{Offset: 3}, "", "0123456789"},
		{"/g", vfs.StageOptions{Append: true}, "abc", "0123456789abc"},
	} {
		s := b.stage(c.p, c.opt)
		r, ok := s.(io.ReaderAt)
		if !ok {
			_ = s.Discard(false)
			return
		}
		if c.text != "" {
			b.write(s, c.text)
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, s.Size()))
		b.ok(err)
		if string(got) != c.want || s.Size() != int64(len(c.want)) {
			b.Errorf("%s %+v: read %q of %d, want %q", c.p, c.opt, got, s.Size(), c.want)
		}
		b.ok(s.Discard(false))
		if _, err := r.ReadAt(make([]byte, 1), 0); err == nil {
			b.Errorf("%s: a discarded stage was read", c.p)
		}
	}
}

func (b *bed) testReplace() {
	b.put("/f", "the old one")
	s := b.stage("/f", vfs.StageOptions{})
	b.write(s, "new")
	b.holds("/f", "the old one")
	b.commit(s)
	b.holds("/f", "new")
	b.lists("/", "f")
}

func (b *bed) testDiscard() {
	b.put("/f", "old")
	for _, opt := range []vfs.StageOptions{{}, {Append: true}, {Offset: 1}, {Offset: 3}} {
		for _, p := range []vfs.Path{"/f", "/g"} {
			if p == "/g" && opt.Offset > 0 {
				continue
			}
			s := b.stage(p, opt)
			b.write(s, "half")
			b.ok(s.Discard(true))
			s = b.stage(p, opt)
			b.write(s, "half")
			b.ok(s.Discard(false))
		}
		b.holds("/f", "old")
		b.lists("/", "f")
	}
}

func (b *bed) testEndOnce() {
	s := b.stage("/f", vfs.StageOptions{})
	b.write(s, "x")
	b.commit(s)
	b.is(s.Commit(context.Background()), fs.ErrClosed)
	b.is(s.Discard(false), fs.ErrClosed)
	_, err := s.Write([]byte("y"))
	b.is(err, fs.ErrClosed)
	b.holds("/f", "x")
}

func (b *bed) testStageRefused() {
	b.ok(b.w.Mkdir("/d"))
	b.put("/f", "")
	for _, c := range []struct {
		p    vfs.Path
		opt  vfs.StageOptions
		want error
	}{
		{"/d", vfs.StageOptions{}, vfs.ErrIsDirectory},
		{"/d", vfs.StageOptions{Append: true}, vfs.ErrIsDirectory},
		{"/", vfs.StageOptions{}, vfs.ErrIsDirectory},
		{"/", vfs.StageOptions{Unique: true}, vfs.ErrRoot},
		{"/no/f", vfs.StageOptions{}, fs.ErrNotExist},
		{"/no/f", vfs.StageOptions{Unique: true}, fs.ErrNotExist},
		{"/f/g", vfs.StageOptions{}, vfs.ErrNotDirectory},
		{"/f", vfs.StageOptions{Offset: -1}, fs.ErrInvalid},
		{"/f", vfs.StageOptions{Append: true, Offset: 1}, fs.ErrInvalid},
		{"/f", vfs.StageOptions{Unique: true, Append: true}, fs.ErrInvalid},
	} {
		s, err := b.w.Stage(c.p, c.opt)
		if s != nil {
			b.Errorf("%s %+v: a stage came with the error", c.p, c.opt)
		}
		b.is(err, c.want)
	}
}

func (b *bed) testReadFrom() {
	data := bytes.Repeat([]byte("0123456789abcdef"), 20000)
	s := b.stage("/f", vfs.StageOptions{})
	n, err := s.ReadFrom(io.LimitReader(bytes.NewReader(data), 100000))
	b.ok(err)
	if n != 100000 || s.Size() != 100000 {
		b.Errorf("ReadFrom returned %d, Size %d", n, s.Size())
	}
	n, err = s.ReadFrom(iotest.HalfReader(bytes.NewReader(data[100000:])))
	b.ok(err)
	if n+100000 != int64(len(data)) {
		b.Errorf("ReadFrom returned %d", n)
	}
	b.commit(s)
	b.holds("/f", string(data))

	broken := errors.New("broken")
	s = b.stage("/g", vfs.StageOptions{})
	n, err = s.ReadFrom(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)))
	if n != 3 || !errors.Is(err, broken) || s.Size() != 3 {
		b.Errorf("ReadFrom returned %d, %v; Size %d", n, err, s.Size())
	}
	b.ok(s.Discard(false))
}

func (b *bed) testCancelled() {
	b.put("/f", "old")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, opt := range []vfs.StageOptions{{}, {Append: true}, {Offset: 1}} {
		s := b.stage("/f", opt)
		b.write(s, "new")
		b.is(s.Commit(ctx), context.Canceled)
		b.holds("/f", "old")
	}
	b.lists("/", "f")
}

func (b *bed) testUnique() {
	b.ok(b.w.Mkdir("/d"))
	seen := make(map[vfs.Path]bool)
	for range 20 {
		s := b.stage("/d/ftpd", vfs.StageOptions{Unique: true})
		if p := s.Path(); !strings.HasPrefix(string(p), "/d/ftpd.") || len(p) != len("/d/ftpd.XXXXXXXX") || seen[p] {
			b.Fatalf("unique path %q", p)
		}
		seen[s.Path()] = true
		b.write(s, "mine")
		b.commit(s)
		b.holds(s.Path(), "mine")
	}
	// A file of that name that came meanwhile is not replaced.
	s := b.stage("/d/x", vfs.StageOptions{Unique: true})
	b.write(s, "late")
	b.put(s.Path(), "early")
	b.is(s.Commit(context.Background()), fs.ErrExist)
	b.holds(s.Path(), "early")
}

func (b *bed) testTwoWriters() {
	for _, old := range []bool{false, true} {
		p := vfs.Path("/new")
		if old {
			p = "/old"
			b.put(p, "before")
		}
		one, two := b.stage(p, vfs.StageOptions{}), b.stage(p, vfs.StageOptions{})
		for range 3 {
			b.write(one, "1111")
			b.write(two, "22")
		}
		b.commit(two)
		b.holds(p, "222222")
		b.commit(one)
		b.holds(p, "111111111111")
	}
	b.lists("/", "new", "old")
}

func (b *bed) testManyWriters() {
	const writers = 24
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			s, err := b.w.Stage(vfs.Path("/f"), vfs.StageOptions{})
			if err != nil {
				b.Error(err)
				return
			}
			text := strings.Repeat(string(rune('a'+i)), 10000)
			if _, err := io.Copy(s, strings.NewReader(text)); err != nil {
				b.Error(err)
			}
			if err := s.Commit(context.Background()); err != nil {
				b.Error(err)
			}
			if err := b.w.Mkdir("/" + vfs.Path(text[:3])); err != nil {
				b.Error(err)
			}
		})
	}
	group.Wait()
	if got := b.read("/f"); len(got) != 10000 || got != strings.Repeat(got[:1], 10000) {
		b.Errorf("the file is mixed: %d bytes", len(got))
	}
	if got := len(b.entries("/", 5)); got != writers+1 {
		b.Errorf("%d entries, want %d", got, writers+1)
	}
}

func (b *bed) testFolderRenamed() {
	for _, opt := range []vfs.StageOptions{{}, {Append: true}, {Offset: 1}} {
		b.ok(b.w.Mkdir("/d"))
		b.put("/d/old", "old")
		b.ok(b.w.Mkdir("/other"))
		one, two := b.stage("/d/new", vfs.StageOptions{}), b.stage("/d/old", opt)
		b.write(one, "x")
		b.write(two, "x")
		b.ok(b.w.Rename("/d", "/moved"))
		b.is(one.Commit(context.Background()), fs.ErrNotExist)
		b.ok(b.w.Rename("/other", "/d")) // another directory of the same name
		b.is(two.Commit(context.Background()), fs.ErrNotExist)
		b.lists("/d")
		b.lists("/moved", "old")
		b.holds("/moved/old", "old")
		b.ok(b.w.Rmdir("/d"))
		b.ok(b.w.Remove("/moved/old"))
		b.ok(b.w.Rmdir("/moved"))
	}
}

func (b *bed) testFolderRemoved() {
	b.ok(b.w.Mkdir("/d"))
	one, two := b.stage("/d/f", vfs.StageOptions{}), b.stage("/d/g", vfs.StageOptions{Owner: "ann"})
	b.write(one, "x")
	b.write(two, "x")
	b.ok(b.w.Rmdir("/d"))
	b.is(one.Commit(context.Background()), fs.ErrNotExist)
	b.ok(b.w.Mkdir("/d"))
	b.is(two.Commit(context.Background()), fs.ErrNotExist)
	b.lists("/d")
}

func (b *bed) testTargetDirectory() {
	s := b.stage("/f", vfs.StageOptions{})
	b.write(s, "x")
	b.ok(b.w.Mkdir("/f"))
	b.is(s.Commit(context.Background()), vfs.ErrIsDirectory)
	b.lists("/f")
	b.lists("/", "f")
}
