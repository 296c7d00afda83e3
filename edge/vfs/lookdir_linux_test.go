package vfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// A Disk's directory describes its entries by their names, and nothing else.
func TestLookDir(t *testing.T) {
	d := newDisk(t, nil)
	for _, name := range []string{"a", "b", "outside"} {
		if err := os.WriteFile(d.at(vfs.Root.Join(name)), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(d.at("/d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink("../a", d.at("/d/l")), os.Rename(d.at("/b"), d.at("/d/b")), d.Symlink("/d/b", "/d/m")); err != nil {
		t.Fatal(err)
	}
	dir, err := d.ReadDir("/d")
	if err != nil {
		t.Fatal(err)
	}
	look := dir.(vfs.LookDir)
	looks := func(names ...string) (infos []vfs.Info, err error) {
		err = look.Look(names, func(info *vfs.Info) { infos = append(infos, *info) })
		return infos, err
	}
	names, err := look.Candidates(nil, 10)
	if slices.Sort(names); err != nil || !slices.Equal(names, []string{"b", "l", "m"}) {
		t.Fatalf("%q, %v", names, err)
	}
	if err := os.Rename(d.at("/d"), d.at("/elsewhere")); err != nil { // it is the directory that was opened
		t.Fatal(err)
	}
	names = []string{"m", "b", "l"}
	got, err := looks(names...)
	if err != nil || len(got) != len(names) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, name := range names {
		if want, err := d.Lstat(vfs.Path("/elsewhere").Join(name)); err != nil || got[i] != want {
			t.Errorf("%s: %+v; want %+v, %v", name, got[i], want, err)
		}
	}
	if err := os.Remove(filepath.Join(d.at("/elsewhere"), "b")); err != nil {
		t.Fatal(err)
	}
	got, err = looks("b", ".", "..", "../outside", "/", "", "l/..", "l", "l\x00")
	if err != nil || len(got) != 1 || got[0].Name != "l" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := look.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := looks("l"); err == nil {
		t.Error("a closed directory describes its entries")
	}
}
