package vfs_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// A name in the root may be a second one of a file outside. An upload makes a new
// file of that name, so that nothing is written through it; what is appended goes to
// the file that both names have, as whoever made the second one must know.
func TestHardLinks(t *testing.T) {
	d := newDisk(t, nil)
	out := filepath.Join(filepath.Dir(d.host), "outside")
	made(t, out, "secret")
	link := func() {
		_ = os.Remove(d.at("/hard"))
		if err := os.Link(filepath.Join(out, "secret"), d.at("/hard")); err != nil {
			t.Fatal(err)
		}
	}
	made(t, d.host, "other")
	for what, do := range map[string]func() error{
		"store":       func() error { return storeWritten(d, "/hard") },
		"rest":        func() error { upload(t, d, "/hard", vfs.StageOptions{Offset: 2}, "X", commit); return nil },
		"rename over": func() error { made(t, d.host, "other"); return d.Rename("/other", "/hard") },
		"rename":      func() error { return d.Rename("/hard", "/moved") },
		"remove":      func() error { return d.Remove("/hard") },
	} {
		link()
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if data, err := os.ReadFile(filepath.Join(out, "secret")); err != nil || string(data) != "secret" {
			t.Errorf("%s: the file outside is %q, %v", what, data, err)
		}
	}
	link()
	upload(t, d, "/hard", vfs.StageOptions{Append: true}, "+", commit)
	if data, err := os.ReadFile(filepath.Join(out, "secret")); err != nil || string(data) != "secret+" {
		t.Errorf("append: the file outside is %q, %v", data, err)
	}
}

// Names are bytes: what differs in a case, in the form of an accent or in a full stop
// at its end is another name, to a Disk as to every rule that is asked about its path.
func TestNamesAreBytes(t *testing.T) {
	d := newDisk(t, nil)
	names := []string{"caf\u00e9", "cafe\u0301", "CAF\u00c9", "Cafe", "cafe", "cafe.", "cafe ", "\xff\xfe", "caf\xe9"}
	for i, name := range names {
		p, err := vfs.Clean(vfs.Root, name)
		if err != nil || string(p) != "/"+name {
			t.Errorf("%q became %q, %v", name, p, err)
		}
		upload(t, d, p, vfs.StageOptions{}, string(bytes.Repeat([]byte("x"), i+1)), commit)
	}
	for i, name := range names {
		if info, err := d.Stat(vfs.Path("/" + name)); err != nil || info.Name != name || info.Size != int64(i+1) {
			t.Errorf("%q: %+v, %v", name, info, err)
		}
		if info, err := os.Lstat(filepath.Join(d.host, name)); err != nil || info.Size() != int64(i+1) {
			t.Errorf("%q on the host: %v, %v", name, info, err)
		}
	}
}

// What is moved to another filesystem, by its own name or through a planted link, is
// refused as that, and is where it was: nothing is copied in the place of a rename.
func TestRenameAcrossMounts(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	d, behind := foreign(t, nil)
	if err := d.WriteLink("tmpfs/sub", "/planted"); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, behind[1])
	for _, pair := range [][2]vfs.Path{{"/own", "/tmpfs/new"}, {"/own", "/tmpfs/secret"}, {"/own", "/planted/new"}, {"/own", "/planted/deep"},
		{"/dir", "/planted/dir"}, {"/planted/deep", "/deep"}, {"/linkdir/secret", "/planted/deep"}, {"/tmpfs", "/moved"}, {"/own", "/file"}} {
		err := d.Rename(pair[0], pair[1])
		if !errors.Is(err, vfs.ErrCrossDevice) && !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("rename %s %s: %v", pair[0], pair[1], err)
		}
	}
	if after := snapshot(t, behind[1]); after != before {
		t.Errorf("on the other filesystem %q became %q", before, after)
	}
	if got := fileText(t, d, "/own"); got != "own" {
		t.Errorf("the file that was not moved is %q", got)
	}
}
