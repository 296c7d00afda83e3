package vfs_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// described is what a directory says of names.
func described(t *testing.T, look vfs.LookDir, names []string) (infos []vfs.Info) {
	t.Helper()
	if err := look.Look(names, func(info *vfs.Info) { infos = append(infos, *info) }); err != nil {
		t.Error(err)
	}
	return infos
}

// Several look at one directory at once, on the short way and on the plain one, and are
// told the same; so is who comes when the directory has another name. Nothing stays open.
func TestLookTogether(t *testing.T) {
	for _, plain := range []bool{false, true} {
		d := newDisk(t, nil)
		if plain {
			d.LookPlainly()
		}
		if err := os.Mkdir(d.at("/d"), 0o700); err != nil {
			t.Fatal(err)
		}
		var want []vfs.Info
		for i := range 3000 {
			name := fmt.Sprintf("entry-%04d", i)
			if err := os.Symlink(name, d.at(vfs.Path("/d").Join(name))); err != nil {
				t.Fatal(err)
			}
			info, err := d.Lstat(vfs.Path("/d").Join(name))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, info)
		}
		open := openFiles(t)
		dir, err := d.ReadDir("/d")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(d.at("/d"), d.at("/elsewhere")); err != nil {
			t.Fatal(err)
		}
		look := dir.(vfs.LookDir)
		var names []string
		for {
			if names, err = look.Candidates(names, 700); err != nil {
				break
			}
		}
		slices.Sort(names)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 3 {
					if got := described(t, look, names); !slices.Equal(got, want) {
						t.Errorf("%d entries, want %d", len(got), len(want))
					}
				}
			})
		}
		group.Wait()
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
		if now := openFiles(t); now != open {
			t.Errorf("%d files are open, before %d", now, open)
		}
	}
}

// openFiles counts the descriptors of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// The two ways describe every kind of file alike, and leave out what is gone.
func TestLookPlainly(t *testing.T) {
	d := newDisk(t, nil)
	for i, make := range []func(string) error{
		func(p string) error { return os.WriteFile(p, []byte("text"), 0o640) },
		func(p string) error { return os.Mkdir(p, 0o1777) },
		func(p string) error { return os.Symlink("nowhere", p) },
		func(p string) error { makeFIFO(t, p); return nil },
	} {
		if err := make(d.at(vfs.Root.Join(fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"3", "gone", "1", "2", "0", "0/..", "2\x00"}
	var got [2][]vfs.Info
	for i := range got {
		dir, err := d.ReadDir(vfs.Root)
		if err != nil {
			t.Fatal(err)
		}
		got[i] = described(t, dir.(vfs.LookDir), names)
		_ = dir.Close()
		d.LookPlainly()
	}
	if len(got[0]) != 4 || !slices.Equal(got[0], got[1]) {
		t.Errorf("%+v\n%+v", got[0], got[1])
	}
}
