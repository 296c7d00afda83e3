// Package vfstest holds the conformance function of vfs: what every filesystem
// behind RFC 959's file commands must do, whatever it is made of.
package vfstest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// LinkWriter is a filesystem in which a test can make any symbolic link, as
// somebody beside the server could: nothing is checked, unlike by vfs.Symlinker.
type LinkWriter interface {
	WriteLink(target string, p vfs.Path) error
}

// TestFS checks a filesystem. Each call of open must return a new and empty one.
// What a filesystem can do beyond reading is found by assertion to the interfaces
// of package vfs and to LinkWriter; what it cannot do is skipped, with a word.
// The files of a filesystem that is no Writer are not looked at.
func TestFS(t *testing.T, open func(t *testing.T) vfs.FS) {
	for _, group := range []struct {
		name  string
		tests []check
	}{
		{"read", readChecks()}, {"change", changeChecks()}, {"stage", stageChecks()},
		{"position", positionChecks()}, {"partial", partialChecks()}, {"link", linkChecks()},
		{"symlink", symlinkChecks()}, {"sub", subChecks()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.tests {
				t.Run(c.name, func(t *testing.T) { c.run(newBed(t, open(t))) })
			}
		})
	}
}

// check is one subtest.
type check struct {
	name string
	run  func(*bed)
}

// bed is one filesystem under test with short words for what tests do.
type bed struct {
	*testing.T
	fs vfs.FS
	w  vfs.Writer
}

func newBed(t *testing.T, fsys vfs.FS) *bed {
	t.Helper()
	w, ok := fsys.(vfs.Writer)
	if !ok {
		t.Skip("the filesystem is no vfs.Writer")
	}
	return &bed{T: t, fs: fsys, w: w}
}

// partials returns the filesystem as vfs.Partials, or skips the test.
func (b *bed) partials() vfs.Partials {
	b.Helper()
	p, ok := b.fs.(vfs.Partials)
	if !ok {
		b.Skip("the filesystem is no vfs.Partials")
	}
	return p
}

// symlink makes a link, or skips the test.
func (b *bed) symlink(target string, p vfs.Path) {
	b.Helper()
	s, ok := b.fs.(LinkWriter)
	if !ok {
		b.Skip("the filesystem is no LinkWriter")
	}
	b.ok(s.WriteLink(target, p))
}

// ok stops the test at an error.
func (b *bed) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("unexpected error: %v", err)
	}
}

// is checks that err is want, and that an error says nothing of the host.
func (b *bed) is(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("error is %v, want %v", err, want)
	}
	if wd := b.TempDir(); strings.Contains(err.Error(), wd[:len(wd)-4]) {
		b.Errorf("error %q names a path of the host", err)
	}
}

// stage begins an upload.
func (b *bed) stage(p vfs.Path, opt vfs.StageOptions) vfs.Stage {
	b.Helper()
	s, err := b.w.Stage(p, opt)
	b.ok(err)
	return s
}

// write adds to an upload.
func (b *bed) write(s vfs.Stage, text string) {
	b.Helper()
	n, err := s.Write([]byte(text))
	b.ok(err)
	if n != len(text) {
		b.Fatalf("Write returned %d, want %d", n, len(text))
	}
}

// commit ends an upload well.
func (b *bed) commit(s vfs.Stage) {
	b.Helper()
	b.ok(s.Commit(context.Background()))
}

// put makes a whole file.
func (b *bed) put(p vfs.Path, text string) {
	b.Helper()
	b.upload(p, vfs.StageOptions{}, text)
}

// upload makes a whole upload.
func (b *bed) upload(p vfs.Path, opt vfs.StageOptions, text string) {
	b.Helper()
	s := b.stage(p, opt)
	b.write(s, text)
	b.commit(s)
}

// interrupt begins an upload and gives it up, to be kept.
func (b *bed) interrupt(p vfs.Path, opt vfs.StageOptions, text string) {
	b.Helper()
	s := b.stage(p, opt)
	b.write(s, text)
	b.ok(s.Discard(true))
}

// read returns a file's bytes.
func (b *bed) read(p vfs.Path) string {
	b.Helper()
	f, err := b.fs.Open(p)
	b.ok(err)
	defer f.Close()
	data, err := io.ReadAll(f)
	b.ok(err)
	return string(data)
}

// holds checks a file's bytes.
func (b *bed) holds(p vfs.Path, want string) {
	b.Helper()
	if got := b.read(p); got != want {
		b.Fatalf("%s holds %.60q (%d bytes), want %.60q (%d bytes)", p, got, len(got), want, len(want))
	}
}

// absent checks that nothing is at p.
func (b *bed) absent(p vfs.Path) {
	b.Helper()
	_, err := b.fs.Lstat(p)
	b.is(err, fs.ErrNotExist)
}

// entries lists a directory, n entries at a time.
func (b *bed) entries(p vfs.Path, n int) []vfs.Info {
	b.Helper()
	d, err := b.fs.ReadDir(p)
	b.ok(err)
	defer d.Close()
	var all []vfs.Info
	for {
		some, err := d.Next(n)
		if err == io.EOF {
			if len(some) > 0 {
				b.Fatalf("%d entries came with io.EOF", len(some))
			}
			return all
		}
		b.ok(err)
		if len(some) == 0 || len(some) > n {
			b.Fatalf("Next(%d) returned %d entries", n, len(some))
		}
		all = append(all, some...)
	}
}

// lists checks the names in a directory.
func (b *bed) lists(p vfs.Path, want ...string) {
	b.Helper()
	var got []string
	for _, info := range b.entries(p, 3) {
		got = append(got, info.Name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		b.Fatalf("%s lists %q, want %q", p, got, want)
	}
}
