package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// A Disk's directory describes its entries one by one, and nothing else.
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
	names, err := look.Names(10)
	if slices.Sort(names); err != nil || !slices.Equal(names, []string{"b", "l", "m"}) {
		t.Fatalf("%q, %v", names, err)
	}
	if err := os.Rename(d.at("/d"), d.at("/elsewhere")); err != nil { // it is the directory that was opened
		t.Fatal(err)
	}
	for _, name := range names {
		got, err := look.Lstat(name)
		want, werr := d.Lstat(vfs.Path("/elsewhere").Join(name))
		if err != nil || werr != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, err, want, werr)
		}
	}
	if err := os.Remove(filepath.Join(d.at("/elsewhere"), "b")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", ".", "..", "../outside", "/", "", "l/.."} {
		if info, err := look.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %+v, %v", name, info, err)
		}
	}
	if err := look.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := look.Lstat("l"); err == nil {
		t.Error("a closed directory describes its entries")
	}
}
