package vfs_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/vfs/vfstest"
	"github.com/edgeftp/edgeftp/tests/namespaces"
)

// namespaceVariable says to a test that it runs in a mount namespace of its own.
const namespaceVariable = "EDGEFTP_VFS_TEST_NAMESPACE"

// inNamespace runs the whole test in another process that may mount what it likes,
// and returns true in that process.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaceVariable) != "" {
		return true
	}
	namespaces.Need(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), namespaceVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in a mount namespace of its own: %v\n%s", err, out)
	}
	return false
}

// mounted mounts a filesystem or, without a kind, another place of the host, until
// the test ends.
func mounted(t *testing.T, kind, source, target string) {
	t.Helper()
	var flags uintptr
	if kind == "" {
		flags = unix.MS_BIND
	}
	if err := unix.Mount(source, target, kind, flags, ""); err != nil {
		t.Fatalf("mount %s %s on %s: %v", kind, source, target, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// made writes files of the host, each with its own name in it; a name that ends
// with a slash is a directory.
func made(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if name[len(name)-1] == '/' {
			err = os.MkdirAll(path, 0o755)
		} else if err == nil {
			err = os.WriteFile(path, []byte(name), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// foreign makes a Disk with mounts of every kind below its root, and returns the
// directories of the host that lie behind them.
func foreign(t *testing.T, adjust func(*vfs.DiskConfig)) (linkedDisk, []string) {
	t.Helper()
	d := newDisk(t, adjust)
	out := filepath.Join(filepath.Dir(d.host), "outside")
	made(t, out, "secret", "sub/deep")
	made(t, d.host, "own", "dir/kept", "tmpfs/", "bind/", "self/", "file", "proc/")
	mounted(t, "tmpfs", "tmpfs", d.at("/tmpfs"))
	mounted(t, "", out, d.at("/bind"))
	mounted(t, "", d.at("/dir"), d.at("/self"))
	mounted(t, "", filepath.Join(out, "secret"), d.at("/file"))
	mounted(t, "proc", "proc", d.at("/proc"))
	made(t, d.at("/tmpfs"), "secret", "sub/deep")
	relink(t, d)
	return d, []string{out, d.at("/tmpfs"), d.at("/dir")}
}

// relink makes the links of foreign, and a file to be moved, again.
func relink(t *testing.T, d linkedDisk) {
	t.Helper()
	made(t, d.host, "own")
	for p, target := range map[vfs.Path]string{"/link": "bind/secret", "/linkdir": "bind", "/new": "bind/new"} {
		_ = os.Remove(d.at(p))
		if err := d.WriteLink(target, p); err != nil {
			t.Fatal(err)
		}
	}
}

func refuse(c *vfs.DiskConfig) { c.Mounts = vfs.MountsRefuse }

// refuseQuickly waits for no disk.
func refuseQuickly(c *vfs.DiskConfig) { c.Mounts, c.Durability = vfs.MountsRefuse, vfs.DurabilityNone }

// reaches are more ways to reach for p, beside those of attempts.
func reaches(d *vfs.Disk, p vfs.Path) map[string]error {
	errs := attempts(d, p)
	_, errs["lstat"] = d.Lstat(p)
	view, err := d.Sub(p)
	if errs["sub"] = err; err == nil {
		_ = view.(io.Closer).Close()
	}
	_, errs["space"] = d.Space(p)
	_, errs["partial"] = d.Partial("ann", p)
	errs["drop"] = d.DropPartial("ann", p)
	errs["remove"] = d.Remove(p)
	errs["rename from"] = d.Rename(p, "/stolen")
	errs["rename to"] = d.Rename("/own", p)
	return errs
}

// What is mounted below the root is not served, whatever kind of mount it is, and
// nobody learns what there is behind it.
func TestMountsRefused(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	d, behind := foreign(t, refuse)
	var before []string
	for _, dir := range behind {
		before = append(before, snapshot(t, dir))
	}
	for _, p := range []vfs.Path{"/tmpfs", "/bind", "/self", "/file", "/proc", "/linkdir",
		"/tmpfs/secret", "/tmpfs/sub/deep", "/tmpfs/none", "/tmpfs/none/x", "/bind/secret", "/bind/secret/x", "/bind/new",
		"/bind/sub", "/bind/none/deeper", "/self/kept", "/self/new", "/proc/self", "/proc/self/root/etc/passwd",
		"/proc/1/none", "/link", "/linkdir/secret", "/new"} {
		relink(t, d)
		for what, err := range reaches(d.Disk, p) {
			if !errors.Is(err, vfs.ErrCrossDevice) && !ownName(p, what, err) {
				t.Errorf("%s %s: %v", what, p, err)
			}
		}
	}
	if err := d.Symlink("there", "/bind/link"); !errors.Is(err, vfs.ErrCrossDevice) {
		t.Errorf("symlink: %v", err)
	}
	for i, dir := range behind {
		if after := snapshot(t, dir); after != before[i] {
			t.Errorf("behind a mount, %q became %q", before[i], after)
		}
	}
	checkOmitted(t, d)
	checkOwn(t, d)
}

// ownName tells what happens to a name in the root itself, not to what is mounted on
// it or where a link leads: the name is taken, a unique one is made of it, and a link
// is described, moved and removed as a link.
func ownName(p vfs.Path, what string, err error) bool {
	if p.Dir() != vfs.Root {
		return false
	}
	link := p == "/link" || p == "/linkdir" || p == "/new"
	switch what {
	case "unique":
		return err == nil
	case "mkdir":
		return errors.Is(err, fs.ErrExist)
	case "rmdir":
		return link && errors.Is(err, vfs.ErrNotDirectory)
	case "lstat":
		return link && err == nil
	case "remove", "rename from", "rename to":
		return link
	}
	return false
}

// checkOmitted looks for names that something is mounted on.
func checkOmitted(t *testing.T, d linkedDisk) {
	t.Helper()
	for _, ask := range []func(vfs.LookDir) ([]string, error){
		func(dir vfs.LookDir) ([]string, error) { return dir.(vfs.NameDir).AppendNames(nil, 100) },
		func(dir vfs.LookDir) ([]string, error) {
			infos, err := dir.Next(100)
			return infoNames(infos), err
		},
		func(dir vfs.LookDir) ([]string, error) {
			var names []string
			err := dir.Look([]string{"dir", "bind", "file", "tmpfs", "proc", "self"}, func(info *vfs.Info) { names = append(names, info.Name) })
			return names, err
		},
	} {
		dir, err := d.ReadDir(vfs.Root)
		if err != nil {
			t.Fatal(err)
		}
		names, err := ask(dir.(vfs.LookDir))
		if err != nil || !slices.Contains(names, "dir") {
			t.Errorf("listing: %q, %v", names, err)
		}
		for _, name := range []string{"bind", "file", "tmpfs", "proc", "self"} {
			if slices.Contains(names, name) {
				t.Errorf("%s is in the listing %q", name, names)
			}
		}
		_ = dir.Close()
	}
}

func infoNames(infos []vfs.Info) []string {
	var names []string
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names
}

// checkOwn does with what is the root's own what has to work.
func checkOwn(t *testing.T, d linkedDisk) {
	t.Helper()
	if err := d.WriteLink("dir/kept", "/inside"); err != nil {
		t.Fatal(err)
	}
	if info, err := d.Stat("/inside"); err != nil || info.Name != "inside" || info.Size != int64(len("dir/kept")) {
		t.Errorf("Stat through a link: %+v, %v", info, err)
	}
	if _, err := d.Stat("/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of nothing: %v", err)
	}
	view, err := d.Sub("/dir")
	if err != nil {
		t.Fatal(err)
	}
	defer view.(io.Closer).Close()
	if f, err := view.Open("/kept"); err != nil {
		t.Error(err)
	} else {
		_ = f.Close()
	}
	if err := errors.Join(d.Mkdir("/made"), d.Rename("/dir/kept", "/made/kept"), d.Remove("/made/kept"), d.Rmdir("/made")); err != nil {
		t.Error(err)
	}
}

// All that a Disk can do it does on the mount that it serves.
func TestDiskOneMount(t *testing.T) {
	vfstest.TestFS(t, func(t *testing.T) vfs.FS { return tidy(t, newDisk(t, refuse)) })
	t.Run("device", func(t *testing.T) {
		vfstest.TestFS(t, func(t *testing.T) vfs.FS {
			d := tidy(t, newDisk(t, refuseQuickly))
			d.ByDevice()
			return d
		})
	})
	if os.Getuid() == 0 {
		t.Run("user", func(t *testing.T) {
			vfstest.TestFS(t, func(t *testing.T) vfs.FS { return tidy(t, userDisk(t, nobody(), refuseQuickly)) })
		})
	}
}

// A kernel without numbers of mounts tells devices apart, and that holds.
func TestMountsByDevice(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	d, _ := foreign(t, refuse)
	d.ByDevice()
	for _, p := range []vfs.Path{"/tmpfs", "/tmpfs/secret", "/proc/self/status"} {
		for what, err := range reaches(d.Disk, p) {
			if !errors.Is(err, vfs.ErrCrossDevice) && !ownName(p, what, err) {
				t.Errorf("%s %s: %v", what, p, err)
			}
		}
	}
	checkOwn(t, d)
}

// Unless it is told otherwise a Disk serves what is mounted below its root. The
// magic links of /proc lead out, and are refused as any link that does; nothing is
// moved from one mount to another as if it were one.
func TestMountsServed(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	d, _ := foreign(t, nil)
	for p, want := range map[vfs.Path]string{"/tmpfs/secret": "secret", "/bind/sub/deep": "sub/deep", "/self/kept": "dir/kept",
		"/file": "secret", "/link": "secret"} {
		if got := fileText(t, d, p); got != want {
			t.Errorf("%s: %q", p, got)
		}
	}
	held, err := os.Open(filepath.Join(filepath.Dir(d.host), "outside", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	for _, p := range []vfs.Path{"/proc/self/root/etc/passwd", "/proc/self/root", "/proc/self/cwd/disk.go", "/proc/self/exe",
		"/proc/1/root/etc", vfs.Path("/proc/self/fd/" + strconv.Itoa(int(held.Fd())))} {
		for what, err := range attempts(d, p) {
			if !errors.Is(err, vfs.ErrEscapes) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrExist) &&
				!errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrNotDirectory) {
				t.Errorf("%s %s: %v", what, p, err)
			}
		}
	}
	for _, pair := range [][2]vfs.Path{{"/own", "/tmpfs/own"}, {"/own", "/bind/own"}, {"/self/kept", "/dir/moved"}, {"/bind/sub", "/sub"}} {
		if err := d.Rename(pair[0], pair[1]); !errors.Is(err, vfs.ErrCrossDevice) {
			t.Errorf("rename %s %s: %v", pair[0], pair[1], err)
		}
	}
	for _, p := range []vfs.Path{"/bind", "/self"} {
		if err := d.Rmdir(p); err == nil {
			t.Errorf("%s, on which something is mounted, could be removed", p)
		}
	}
}

// fileText is what a client reads.
func fileText(t *testing.T, d linkedDisk, p vfs.Path) string {
	t.Helper()
	f, err := d.Open(p)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// While somebody mounts and unmounts another filesystem, a client sees the root's own
// files or a refusal, and never changes anything but those.
func TestMountsRace(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	d := newDisk(t, refuse)
	other := filepath.Join(filepath.Dir(d.host), "other")
	made(t, d.host, "dir/file", "dir/sub/")
	made(t, other, "file", "only")
	before := snapshot(t, other)
	var swap sync.WaitGroup
	done := make(chan struct{})
	swap.Go(func() {
		for {
			if err := unix.Mount(other, d.at("/dir"), "", unix.MS_BIND, ""); err != nil {
				t.Errorf("mount: %v", err)
				return
			}
			if err := unix.Unmount(d.at("/dir"), unix.MNT_DETACH); err != nil {
				t.Errorf("unmount: %v", err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	var own, refused int
	for range 500 {
		o, r := raceOnce(t, d)
		own, refused = own+o, refused+r
	}
	close(done)
	swap.Wait()
	if own == 0 || refused == 0 {
		t.Errorf("%d times the root's own, %d times refused: there was no race", own, refused)
	}
	if after := snapshot(t, other); after != before {
		t.Errorf("behind the mount, %q became %q", before, after)
	}
}

// raceOnce does a bit of everything in /dir, and counts what worked and what was
// refused.
func raceOnce(t *testing.T, d linkedDisk) (own, refused int) {
	t.Helper()
	if f, err := d.Open("/dir/file"); err == nil {
		data, _ := io.ReadAll(f)
		if _ = f.Close(); string(data) != "dir/file" && string(data) != "written" {
			t.Fatalf("read %q", data)
		}
	}
	if dir, err := d.ReadDir("/dir"); err == nil {
		infos, _ := dir.Next(10)
		if _ = dir.Close(); slices.Contains(infoNames(infos), "only") {
			t.Fatalf("listed %q", infoNames(infos))
		}
	}
	for _, look := range []func(vfs.Path) (vfs.Info, error){d.Stat, d.Lstat} {
		if _, err := look("/dir/only"); err == nil {
			t.Fatal("a file behind the mount was seen")
		}
	}
	errs := []error{storeWritten(d, "/dir/file"), d.Mkdir("/dir/new"), d.Rename("/dir/new", "/dir/newer"), d.Rmdir("/dir/newer"),
		d.Chmod("/dir/file", 0o600), d.Chtimes("/dir/file", time.Time{}, time.Unix(1, 0)), d.Symlink("file", "/dir/link"), d.Remove("/dir/link")}
	for _, err := range errs {
		switch {
		case err == nil:
			own++
		case errors.Is(err, vfs.ErrCrossDevice):
			refused++
		}
	}
	return own, refused
}

func storeWritten(d linkedDisk, p vfs.Path) error {
	s, err := d.Stage(p, vfs.StageOptions{})
	if err != nil {
		return err
	}
	if _, err := s.Write([]byte("written")); err != nil {
		return errors.Join(err, s.Discard(false))
	}
	return s.Commit(context.Background())
}
