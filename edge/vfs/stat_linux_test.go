package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// The time of birth is the kernel's.
func TestBirth(t *testing.T) {
	d := newDisk(t, nil)
	if err := errors.Join(d.Mkdir("/d"), os.WriteFile(d.at("/d/f"), nil, 0o644), d.Symlink("f", "/d/l"),
		d.Chtimes("/d/f", time.Unix(1, 0), time.Unix(2, 0))); err != nil {
		t.Fatal(err)
	}
	for _, p := range []vfs.Path{"/d/f", "/d/l", "/d", "/"} {
		var st unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, d.at(p), unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &st); err != nil {
			t.Fatal(err)
		}
		var want time.Time
		if st.Mask&unix.STATX_BTIME != 0 {
			want = time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))
		}
		if info, err := d.Lstat(p); err != nil || !info.Birth.Equal(want) {
			t.Errorf("%s was made at %v, %v, want %v", p, info.Birth, err, want)
		}
	}
}

// Each of the two times can be set without the other.
func TestAccessTime(t *testing.T) {
	d := newDisk(t, nil)
	upload(t, d, "/f", vfs.StageOptions{}, "x", commit)
	zero := time.Time{}
	for _, c := range []struct{ atime, mtime, wantA, wantM time.Time }{
		{time.Unix(1000, 0), time.Unix(2000, 0), time.Unix(1000, 0), time.Unix(2000, 0)},
		{time.Unix(3000, 5), zero, time.Unix(3000, 5), time.Unix(2000, 0)},
		{zero, time.Unix(4000, 0), time.Unix(3000, 5), time.Unix(4000, 0)},
		{zero, zero, time.Unix(3000, 5), time.Unix(4000, 0)},
	} {
		if err := d.Chtimes("/f", c.atime, c.mtime); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(d.at("/f"))
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		if a := time.Unix(st.Atim.Unix()); !a.Equal(c.wantA) || !info.ModTime().Equal(c.wantM) {
			t.Errorf("%+v: accessed %v, changed %v", c, a, info.ModTime())
		}
	}
}

// The room is what the kernel says, as far as other processes leave it alone.
func TestSpace(t *testing.T) {
	d := newDisk(t, nil)
	if err := os.Mkdir(d.at("/d"), 0o755); err != nil {
		t.Fatal(err)
	}
	var last [2]int64
	for range 50 {
		var st unix.Statfs_t
		if err := unix.Statfs(d.at("/d"), &st); err != nil {
			t.Fatal(err)
		}
		free, err := d.Space("/d")
		if err != nil {
			t.Fatal(err)
		}
		if last = [2]int64{free, int64(st.Bavail) * int64(st.Frsize)}; last[0] == last[1] {
			return
		}
	}
	t.Errorf("Space is %d, the kernel says %d", last[0], last[1])
}

// copies reports whether the kernel copies between two files of a directory here.
func copies(t *testing.T, dir string) bool {
	t.Helper()
	from, err := os.CreateTemp(dir, "from")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(from.Name())
	defer from.Close()
	to, err := os.CreateTemp(dir, "to")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(to.Name())
	defer to.Close()
	if _, err := from.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.CopyFileRange(int(from.Fd()), nil, int(to.Fd()), nil, 1, 0)
	return n == 1 && err == nil
}

// A copy from one file of a Disk to another (SITE CPTO) is made by the kernel, and
// the Stage counts it like any other writing: from where the source stands, up to
// the limit, at the place where the upload is.
func TestCopyByKernel(t *testing.T) {
	d := newDisk(t, nil)
	const length = 3 << 20
	data := bytes.Repeat([]byte("0123456789abcdef"), length/16)
	upload(t, d, "/source", vfs.StageOptions{}, string(data), commit)
	upload(t, d, "/old", vfs.StageOptions{}, "old bytes that are longer", commit)
	byKernel := copies(t, d.host)
	for _, c := range []struct {
		what string
		p    vfs.Path
		opt  vfs.StageOptions
		head string
	}{
		{"new", "/new", vfs.StageOptions{}, ""}, {"replaced", "/old", vfs.StageOptions{}, ""},
		{"appended", "/new", vfs.StageOptions{Append: true}, string(data[5 : 5+2*length/3])},
		{"inside", "/old", vfs.StageOptions{Offset: 3}, string(data[5:8])},
	} {
		f, err := d.Open("/source")
		if err == nil {
			_, err = f.Seek(5, io.SeekStart)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.Stage(c.p, c.opt)
		if err != nil {
			t.Fatal(err)
		}
		at := int64(len(c.head))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 2 {
			n, err := s.ReadFrom(&io.LimitedReader{R: f, N: length / 3})
			if at += n; n != length/3 || err != nil || s.Size() < at {
				t.Fatalf("%s: ReadFrom returned %d, %v; Size %d", c.what, n, err, s.Size())
			}
		}
		runtime.ReadMemStats(&after)
		// Bytes that go through the process go through a buffer.
		if used := after.TotalAlloc - before.TotalAlloc; byKernel && used > 16<<10 {
			t.Errorf("%s: %d bytes of memory were needed", c.what, used)
		}
		if err := errors.Join(commit(s), f.Close()); err != nil {
			t.Fatal(err)
		}
		want := c.head + string(data[5:5+2*length/3])
		if got, err := os.ReadFile(d.at(c.p)); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, want %d; %v", c.what, len(got), len(want), err)
		}
	}
}
