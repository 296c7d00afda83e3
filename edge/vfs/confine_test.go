package vfs_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// outside makes a directory beside the root that holds one file, and returns a
// function that checks that it still is as it was.
func outside(t *testing.T, d linkedDisk) func() {
	t.Helper()
	dir := filepath.Join(filepath.Dir(d.host), "outside")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o644)); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	return func() {
		t.Helper()
		if after := snapshot(t, dir); after != before {
			t.Errorf("outside the root, %q became %q", before, after)
		}
	}
}

// snapshot describes everything below a directory of the host.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		b.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			b.WriteString(" " + string(data))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// attempts are all ways to reach for p.
func attempts(d vfs.FS, p vfs.Path) map[string]error {
	errs := make(map[string]error)
	f, err := d.Open(p)
	if err == nil {
		f.Close()
	}
	errs["open"] = err
	_, errs["stat"] = d.Stat(p)
	if dir, err := d.ReadDir(p); err == nil {
		dir.Close()
	} else {
		errs["list"] = err
	}
	w := d.(vfs.Writer)
	for what, opt := range map[string]vfs.StageOptions{"store": {}, "append": {Append: true}, "rest": {Offset: 1},
		"unique": {Unique: true}, "owned": {Owner: "ann"}} {
		s, err := w.Stage(p, opt)
		if err == nil {
			_, _ = s.Write([]byte("written"))
			err = s.Commit(context.Background())
		}
		errs[what] = err
	}
	errs["mkdir"] = w.Mkdir(p)
	errs["rmdir"] = w.Rmdir(p)
	errs["chmod"] = d.(vfs.Chmodder).Chmod(p, 0o777)
	errs["chtime"] = d.(vfs.Chtimer).Chtimes(p, time.Time{}, time.Unix(1, 0))
	return errs
}

func TestEscapes(t *testing.T) {
	d := newDisk(t, nil)
	check := outside(t, d)
	for _, p := range []vfs.Path{"/d", "/d/e"} {
		if err := d.Mkdir(p); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(filepath.Dir(d.host), "outside")
	links := map[vfs.Path]string{
		"/abs": out, "/absfile": out + "/secret", "/absslash": out + "/", "/absdot": out + "/.",
		"/rel": "../outside", "/relfile": "../outside/secret", "/relslash": "../outside/", "/reldot": "../outside/.",
		"/d/up": "../../outside", "/d/e/up": "../../../outside/secret", "/d/zig": "e/../../../outside",
		"/chain": "rel", "/chainslash": "rel/", "/chain3": "d/up/../outside/secret", "/proc": "/proc/self/root",
		"/inside": d.host, "/dots": "../../../../../../../../../../etc/passwd",
	}
	for p, target := range links {
		if err := d.WriteLink(target, p); err != nil {
			t.Fatal(err)
		}
	}
	for p := range links {
		for _, q := range []vfs.Path{p, p.Join("secret"), p.Join("new")} {
			for what, err := range attempts(d, q) {
				refused := errors.Is(err, vfs.ErrEscapes) || what == "mkdir" && errors.Is(err, fs.ErrExist) ||
					what == "rmdir" && errors.Is(err, vfs.ErrNotDirectory)
				// Beside a link that leads out, names are free.
				if !refused && !(q == p && what == "unique") {
					t.Errorf("%s %s: %v", what, q, err)
				}
			}
		}
	}
	// A string that was never made canonical does not get out either.
	for _, p := range []vfs.Path{"/../outside/secret", "/d/../../outside/secret", "/d/../../outside", "/abs/../outside/secret"} {
		for what, err := range attempts(d, p) {
			if err == nil {
				t.Errorf("%s %s succeeded", what, p)
			}
		}
	}
	check()
}

// Whatever is opened, it is the file inside or nothing, however fast the link is
// swapped.
func TestSymlinkRace(t *testing.T) {
	d := newDisk(t, func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityNone })
	check := outside(t, d)
	for _, p := range []vfs.Path{"/inside", "/work"} {
		if err := d.Mkdir(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(d.at("/inside/secret"), []byte("public"), 0o644); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		targets := []string{"inside", "../outside"}
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			fresh := d.at("/fresh")
			_ = os.Symlink(targets[i%2], fresh)
			_ = os.Rename(fresh, d.at("/link"))
		}
	})
	for range 1500 {
		if f, err := d.Open("/link/secret"); err == nil {
			if data, _ := io.ReadAll(f); string(data) == "secret" {
				t.Error("read a file outside the root")
			}
			f.Close()
		}
		_ = d.Chmod("/link/secret", 0o600)
		_ = d.Chtimes("/link/secret", time.Time{}, time.Unix(1, 0))
		if s, err := d.Stage("/link/new", vfs.StageOptions{}); err == nil {
			_ = s.Commit(context.Background())
		}
		if s, err := d.Stage("/link/secret", vfs.StageOptions{Append: true}); err == nil {
			_, _ = s.Write([]byte("!"))
			_ = s.Commit(context.Background())
		}
		_ = d.Mkdir("/link/dir")
		_ = d.Rmdir("/link/dir")
		_ = d.Remove("/link/new")
	}
	close(stop)
	swapper.Wait()
	check()
}

// A FIFO that nobody writes to must not hold anybody up, and a socket or device
// is no file.
func TestSpecialFiles(t *testing.T) {
	d := newDisk(t, nil)
	special := []vfs.Path{"/fifo", "/socket"}
	makeFIFO(t, d.at("/fifo"))
	// A socket's path must be short, so it is made where it may be short.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: shortName(t), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Link(l.Addr().String(), d.at("/socket")); err != nil {
		t.Fatal(err)
	}
	if makeDevice(d.at("/device")) == nil {
		special = append(special, "/device")
	}
	for _, p := range special {
		if err := d.WriteLink(p.Base(), p+"-link"); err != nil {
			t.Fatal(err)
		}
		for _, q := range []vfs.Path{p, p + "-link"} {
			if f, err := d.Open(q); !errors.Is(err, vfs.ErrSpecial) {
				t.Errorf("Open %s: %v, %v", q, f, err)
			}
			for _, opt := range []vfs.StageOptions{{}, {Append: true}, {Offset: 1}} {
				if s, err := d.Stage(q, opt); !errors.Is(err, vfs.ErrSpecial) {
					t.Errorf("Stage %s %+v: %v, %v", q, opt, s, err)
				}
			}
			if err := d.Chmod(q, 0o600); !errors.Is(err, vfs.ErrSpecial) {
				t.Errorf("Chmod %s: %v", q, err)
			}
			if err := d.Chtimes(q, time.Time{}, time.Now()); !errors.Is(err, vfs.ErrSpecial) {
				t.Errorf("Chtime %s: %v", q, err)
			}
		}
		if info, err := d.Stat(p); err != nil || info.Mode.IsRegular() || info.IsDir() {
			t.Errorf("Stat %s: %+v, %v", p, info, err)
		}
		if err := d.Remove(p); err != nil {
			t.Errorf("Remove %s: %v", p, err)
		}
	}
}

func shortName(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vfs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// The Disk's own names are not there for anybody.
func TestHiddenNames(t *testing.T) {
	d := newDisk(t, nil)
	hidden := vfs.Path("/").Join(vfs.HiddenName())
	other := vfs.Path("/.edgeftp.too-short")
	for _, p := range []vfs.Path{hidden, other, vfs.Path(strings.ToUpper(string(hidden)))} {
		if err := os.WriteFile(d.at(p), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []vfs.Path{hidden, vfs.Path(strings.ToUpper(string(hidden))), hidden.Join("x")} {
		for what, err := range attempts(d, p) {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && what != "unique" {
				t.Errorf("%s %s: %v", what, p, err)
			}
		}
		for _, err := range []error{d.Remove(p), d.Rename(p, "/x"), d.Rename(other, p)} {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s: %v", p, err)
			}
		}
	}
	dir, err := d.ReadDir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	infos, err := dir.Next(9)
	if err != nil || len(infos) != 1 || infos[0].Name != other.Base() {
		t.Errorf("listed: %+v, %v", infos, err)
	}
}

func TestOpenIsBare(t *testing.T) {
	d := newDisk(t, nil)
	if err := os.WriteFile(d.at("/f"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := d.Open("/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file, bare := f.(*os.File)
	if !bare {
		t.Fatalf("Open returned a %T", f)
	}
	if _, err := file.Write([]byte("x")); err == nil || strings.Contains(err.Error(), d.host) {
		t.Errorf("Write: %v", err)
	}
}
