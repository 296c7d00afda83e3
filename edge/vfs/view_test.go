package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// view opens a view that the test closes itself.
func view(t *testing.T, d *vfs.Disk, dir vfs.Path) *vfs.Disk {
	t.Helper()
	fsys, err := d.Sub(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fsys.(*vfs.Disk)
}

// home makes a Disk with a directory that is viewed until the test ends.
func home(t *testing.T, adjust func(*vfs.DiskConfig)) (top, below linkedDisk) {
	t.Helper()
	top = newDisk(t, adjust)
	if err := errors.Join(os.MkdirAll(top.at("/homes/ann"), 0o755), os.Symlink("homes", top.at("/short"))); err != nil {
		t.Fatal(err)
	}
	v := view(t, top.Disk, "/short/ann")
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return top, linkedDisk{v, top.at("/homes/ann")}
}

func TestHostPath(t *testing.T) {
	top, below := home(t, nil)
	real, err := filepath.EvalSymlinks(top.host)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[vfs.Path]string{"/": "", "/a/b": "a/b", "/no such": "no such"} {
		if got := top.HostPath(p); got != filepath.Join(real, want) {
			t.Errorf("HostPath(%q) is %q", p, got)
		}
		if got := below.HostPath(p); got != filepath.Join(real, "homes", "ann", want) {
			t.Errorf("in the view, HostPath(%q) is %q", p, got)
		}
	}
	if err := top.Rename("/homes", "/elsewhere"); err != nil {
		t.Fatal(err)
	}
	if got := below.HostPath("/f"); got != filepath.Join(real, "elsewhere", "ann", "f") {
		t.Errorf("after a rename it is %q", got)
	}
	// It is where the file is.
	upload(t, below, "/f", vfs.StageOptions{}, "x", commit)
	holds(t, below.HostPath("/f"), "x")
}

// What a view has left when its server is killed or closed is found when the tree
// is opened again, in whatever view.
func TestViewSurvives(t *testing.T) {
	top, below := home(t, nil)
	upload(t, below, "/part", vfs.StageOptions{Owner: "ann"}, "12345", keep)
	upload(t, below, "/log", vfs.StageOptions{}, "whole\n", commit)
	s, err := below.Stage("/log", vfs.StageOptions{Append: true})
	if err == nil {
		_, err = s.Write([]byte("half a li"))
	}
	if err != nil {
		t.Fatal(err)
	}
	below.StageUnderNames()
	if _, err := below.Stage("/staged", vfs.StageOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := len(hiddenFiles(t, top.host)); got != 2 {
		t.Fatalf("%d hidden files", got)
	}
	// Two directories above it are renamed before the end.
	if err := errors.Join(top.Rename("/homes/ann", "/homes/eve"), top.Rename("/homes", "/home")); err != nil {
		t.Fatal(err)
	}
	again := reopenClosed(t, top)
	holds(t, top.at("/home/eve/log"), "whole\n")
	v := view(t, again.Disk, "/home/eve")
	defer v.Close()
	if info, err := v.Partial("ann", "/part"); err != nil || info.Size != 5 {
		t.Errorf("%+v, %v", info, err)
	}
	upload(t, v, "/part", vfs.StageOptions{Owner: "ann", Append: true}, "6", commit)
	holds(t, top.at("/home/eve/part"), "123456")
	if hidden := hiddenFiles(t, top.host); len(hidden) > 0 {
		t.Errorf("hidden files are left: %q", hidden)
	}
}

func TestViewClose(t *testing.T) {
	top, below := home(t, nil)
	other, third := view(t, top.Disk, "/homes"), view(t, below.Disk, "/")
	running, err := below.Stage("/f", vfs.StageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(below.Close(), below.Close()); err != nil {
		t.Fatal(err)
	}
	// Closing one view ends that one, and what was begun in it.
	if _, err := below.Stat("/"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a closed view: %v", err)
	}
	if err := commit(running); err == nil {
		t.Error("an upload to a closed view was committed")
	}
	for _, d := range []*vfs.Disk{top.Disk, other, third} {
		if _, err := d.Stat("/"); err != nil {
			t.Error(err)
		}
	}
	upload(t, third, "/f", vfs.StageOptions{}, "x", commit)
	holds(t, top.at("/homes/ann/f"), "x")
	if hidden := hiddenFiles(t, top.host); len(hidden) > 0 {
		t.Errorf("hidden files are left: %q", hidden)
	}
	// Closing the Disk ends all of them.
	if err := top.Close(); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*vfs.Disk{other, third} {
		if _, err := d.Stat("/"); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("a view of a closed Disk: %v", err)
		}
		if _, err := d.Sub("/"); err == nil {
			t.Error("a closed view has views")
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := top.Sub("/"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a view of a closed Disk was opened: %v", err)
	}
}

// A view is as confined as a Disk, against its tree and against the host.
func TestViewEscapes(t *testing.T) {
	top, below := home(t, nil)
	check := outside(t, top)
	upload(t, top, "/homes/secret", vfs.StageOptions{}, "secret", commit)
	for _, link := range []struct {
		p      vfs.Path
		target string
	}{
		{"/up", ".."}, {"/sibling", "../secret"}, {"/top", "../.."}, {"/out", "../../../outside"}, {"/abs", filepath.Join(filepath.Dir(top.host), "outside")},
		{"/self", "../ann"}, {"/chain", "self"}, {"/host", below.host}, // in this order: a link to nothing yet would be written through
	} {
		p := link.p
		if err := below.WriteLink(link.target, p); err != nil {
			t.Fatal(err)
		}
		for _, q := range []vfs.Path{p, p.Join("secret")} {
			for what, err := range attempts(below, q) {
				refused := errors.Is(err, vfs.ErrEscapes) || what == "mkdir" && errors.Is(err, fs.ErrExist) ||
					what == "rmdir" && errors.Is(err, vfs.ErrNotDirectory)
				if !refused && !(q == p && what == "unique") {
					t.Errorf("%s %s: %v", what, q, err)
				}
			}
		}
		if _, err := below.Sub(p); !errors.Is(err, vfs.ErrEscapes) {
			t.Errorf("a view of %s: %v", p, err)
		}
	}
	holds(t, top.at("/homes/secret"), "secret")
	check()
}

// Nothing that the Disk keeps for itself can be linked to.
func TestSymlinkToHidden(t *testing.T) {
	d := newDisk(t, nil)
	hidden := vfs.HiddenName()
	for _, target := range []string{hidden, "/" + hidden, "./" + hidden + "/x", "no/../" + hidden} {
		if err := d.Symlink(target, "/l"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%q: %v", target, err)
		}
	}
	if err := d.Symlink("f", vfs.Root.Join(hidden)); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

func TestDiskIsNoBirther(t *testing.T) {
	if _, is := any(newDisk(t, nil).Disk).(vfs.Birther); is {
		t.Error("a Disk says that it can set the time of birth")
	}
}
