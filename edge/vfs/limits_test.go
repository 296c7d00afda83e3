//go:build linux

package vfs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/executable"
)

// linuxChildren are what other processes do in the tests of this file.
func linuxChildren() map[string]func([]string) error {
	return map[string]func([]string) error{
		"space": childSpace, "stranger": childStranger, "descriptors": childDescriptors,
		"spoil": childSpoil, "become": childBecome,
	}
}

// childSpace finds no room for a file. The kernel says so as it does when a disk
// is full or a quota is used up. Arguments: root, state.
func childSpace(args []string) error {
	signal.Ignore(syscall.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 100_000, Max: 100_000}); err != nil {
		return err
	}
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: args[0], State: args[1]})
	if err != nil {
		return err
	}
	for _, p := range []vfs.Path{"/new", "/old", "/log"} {
		s, err := d.Stage(p, vfs.StageOptions{Append: p == "/log"})
		if err != nil {
			return err
		}
		n, err := s.Write(bytes.Repeat([]byte("x"), 200_000))
		if !errors.Is(err, vfs.ErrNoSpace) || int64(n) != s.Size() && p != "/log" || strings.Contains(err.Error(), args[0]) {
			return fmt.Errorf("Write: %d, %w; Size %d", n, err, s.Size())
		}
		if _, err = s.ReadFrom(bytes.NewReader(make([]byte, 200_000))); !errors.Is(err, vfs.ErrNoSpace) {
			return fmt.Errorf("ReadFrom: %w", err)
		}
		if err := copyTooMuch(s, d); err != nil {
			return err
		}
		if err := s.Discard(true); err != nil {
			return err
		}
	}
	s, err := d.Stage("/copy", vfs.StageOptions{})
	if err != nil {
		return err
	}
	if err := copyTooMuch(s, d); err != nil || s.Size() != 100_000 {
		return fmt.Errorf("copied %d bytes: %w", s.Size(), err)
	}
	return errors.Join(s.Discard(true), d.Close())
}

// copyTooMuch copies a file for which there is no room, and checks that what fitted
// is counted.
func copyTooMuch(s vfs.Stage, d *vfs.Disk) error {
	f, err := d.Open("/source")
	if err != nil {
		return err
	}
	defer f.Close()
	before := s.Size()
	if n, err := s.ReadFrom(f); !errors.Is(err, vfs.ErrNoSpace) || before+n != s.Size() {
		return fmt.Errorf("copying %d bytes: %w; Size %d before and %d after", n, err, before, s.Size())
	}
	return nil
}

func TestNoSpace(t *testing.T) {
	d := newDisk(t, nil)
	upload(t, d, "/source", vfs.StageOptions{}, strings.Repeat("s", 200_000), commit)
	upload(t, d, "/old", vfs.StageOptions{}, "old", commit)
	upload(t, d, "/log", vfs.StageOptions{}, "log", commit)
	if out, err := child(t, "space", d.host, stateOf(d)).Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	holds(t, d.at("/old"), "old")
	holds(t, d.at("/log"), "log")
	if _, err := os.Lstat(d.at("/new")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if hidden := hiddenFiles(t, d.host); len(hidden) > 0 {
		t.Errorf("hidden files are left: %q", hidden)
	}
}

// childStranger has no privileges. Arguments: root, state.
func childStranger(args []string) error {
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: args[0], State: args[1], Umask: 0o077})
	if err != nil {
		return err
	}
	defer d.Close()
	s, err := d.Stage("/own", vfs.StageOptions{})
	if err == nil {
		err = s.Commit(context.Background())
	}
	if err != nil {
		return err
	}
	// Attributes of a file that can be neither read nor written.
	at := time.Unix(1000, 0)
	for _, mode := range []fs.FileMode{0, 0o222, 0o444, 0} {
		if err := errors.Join(d.Chmod("/own", mode), d.Chtimes("/own", time.Time{}, at)); err != nil {
			return err
		}
		if info, err := d.Stat("/own"); err != nil || info.Mode != mode || !info.ModTime.Equal(at) {
			return fmt.Errorf("after Chmod %v: %+v, %w", mode, info, err)
		}
	}
	// And of a directory that can be neither read nor entered.
	if err := errors.Join(d.Mkdir("/dir"), d.Chmod("/dir", 0), d.Chmod("/dir", 0o711), d.Chmod("/dir", 0),
		d.Chtimes("/dir", time.Time{}, at), d.Chmod("/dir", 0o755)); err != nil {
		return err
	}
	_, open := d.Open("/own")
	_, store := d.Stage("/own", vfs.StageOptions{})
	_, grow := d.Stage("/theirs", vfs.StageOptions{Append: true})
	_, replace := d.Stage("/theirs", vfs.StageOptions{})
	_, closed := d.Stage("/closed/f", vfs.StageOptions{})
	_, shut := d.Stat("/shut/f")
	_, list := d.ReadDir("/shut")
	for i, err := range []error{open, store, grow, replace, closed, shut, list, d.Mkdir("/closed/d"),
		d.Remove("/closed/f"), d.Rename("/own", "/closed/x"), d.Chmod("/theirs", 0o777), d.Chtimes("/theirs", time.Time{}, at)} {
		if !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), args[0]) {
			return fmt.Errorf("refusal %d: %w", i, err)
		}
	}
	return nil
}

// needRoot skips a test that only root can make, or fails it with CI=true.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("only root can become somebody else, and CI=true asks for every check")
	}
	t.Skip("only root can become somebody else")
}

// What the host does not permit is refused as that, without privileges.
func TestPermissions(t *testing.T) {
	needRoot(t)
	d := newDisk(t, nil)
	for _, err := range []error{
		os.WriteFile(d.at("/theirs"), []byte("theirs"), 0o644), os.Mkdir(d.at("/closed"), 0o755),
		os.WriteFile(d.at("/closed/f"), nil, 0o666), os.Mkdir(d.at("/shut"), 0o700), os.WriteFile(d.at("/shut/f"), nil, 0o666),
		os.Chmod(d.host, 0o777), os.Mkdir(stateOf(d)+"-stranger", 0o777), os.Chmod(stateOf(d)+"-stranger", 0o777),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	reachable(t, d.host)
	cmd := child(t, "stranger", d.host, stateOf(d)+"-stranger")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Path = readable(t, cmd.Path, d.host+"/../test-binary")
	if out, err := cmd.Output(); err != nil {
		var exit *exec.ExitError
		t.Fatalf("%v %v\n%s", err, errors.As(err, &exit), out)
	}
	if info, err := os.Stat(d.at("/own")); err != nil || info.Mode() != 0 {
		t.Errorf("the new file has mode %v, %v", info.Mode(), err)
	}
}

// reachable lets strangers through to a directory of a test.
func reachable(t *testing.T, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && len(dir) > 1; dir = dir[:strings.LastIndexByte(dir, '/')] {
		if info, err := os.Stat(dir); err == nil && info.Mode()&0o001 == 0 {
			if err := os.Chmod(dir, info.Mode()|0o011); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// readable copies the test binary to where strangers may run it: itself it lies
// where they may not look.
func readable(t *testing.T, self, name string) string {
	t.Helper()
	if err := executable.Copy(name, self); err != nil {
		t.Fatal(err)
	}
	return name
}

// childDescriptors goes through one script again and again, each time with one
// more file descriptor to spare, and checks what came of it. Arguments: root,
// state.
func childDescriptors(args []string) error {
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: args[0], State: args[1]})
	if err != nil {
		return err
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for spare := range 14 {
		if err := reset(d); err != nil {
			return err
		}
		d.Settled()
		limit := unix.Rlimit{Cur: uint64(len(open) + spare), Max: 500}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		results := starve(d)
		d.Settled()
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 500, Max: 500}); err != nil {
			return err
		}
		if err := checkStarved(d, results); err != nil {
			return fmt.Errorf("with %d descriptors: %w", spare, err)
		}
		now, err := os.ReadDir("/proc/self/fd")
		if err != nil || len(now) > len(open) {
			return fmt.Errorf("%d descriptors are open after it, %d before: %w", len(now), len(open), err)
		}
	}
	return d.Close()
}

// reset makes the files that starve works on.
func reset(d *vfs.Disk) error {
	for _, p := range []vfs.Path{"/new", "/dir/f"} {
		_ = d.Remove(p)
	}
	_ = d.Rmdir("/dir")
	for _, p := range []vfs.Path{"/old", "/log", "/rest"} {
		s, err := d.Stage(p, vfs.StageOptions{})
		if err == nil {
			_, err = s.Write([]byte("0123456789"))
		}
		if err == nil {
			err = s.Commit(context.Background())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// starve does one of everything, and returns what succeeded.
func starve(d *vfs.Disk) map[vfs.Path]bool {
	done := make(map[vfs.Path]bool)
	for p, opt := range map[vfs.Path]vfs.StageOptions{"/new": {}, "/old": {}, "/log": {Append: true}, "/rest": {Offset: 3}} {
		s, err := d.Stage(p, opt)
		if err != nil {
			continue
		}
		_, err = s.Write([]byte("abc"))
		if err != nil {
			_ = s.Discard(false)
			continue
		}
		done[p] = s.Commit(context.Background()) == nil
	}
	if s, err := d.Stage("/part", vfs.StageOptions{Owner: "ann", Append: true}); err == nil {
		_, _ = s.Write([]byte("x"))
		_ = s.Discard(true)
	}
	_ = d.Chmod("/old", 0o600)
	_ = d.Chtimes("/old", time.Time{}, time.Unix(1, 0))
	_ = d.Mkdir("/dir")
	if view, err := d.Sub("/dir"); err == nil {
		_ = view.(*vfs.Disk).Close()
	}
	_ = d.Symlink("old", "/link")
	_ = d.Remove("/link")
	_, _ = d.Lstat("/old")
	_, _ = d.Space("/")
	_ = d.Rename("/old", "/dir/f")
	_ = d.Rename("/dir/f", "/old")
	if dir, err := d.ReadDir("/"); err == nil {
		_, _ = dir.Next(9)
		_ = dir.Close()
	}
	if f, err := d.Open("/old"); err == nil {
		_ = f.Close()
	}
	return done
}

// checkStarved compares what was said with what is.
func checkStarved(d *vfs.Disk, done map[vfs.Path]bool) error {
	for p, want := range map[vfs.Path][2]string{"/new": {"", "abc"}, "/log": {"0123456789", "0123456789abc"},
		"/rest": {"0123456789", "012abc6789"}, "/old": {"0123456789", "abc"}} {
		f, err := d.Open(p)
		if errors.Is(err, fs.ErrNotExist) && !done[p] && (p == "/new" || p == "/old") {
			continue
		} else if err != nil {
			return err
		}
		data, err := io.ReadAll(f)
		_ = f.Close()
		n := 0
		if done[p] {
			n = 1
		}
		if err != nil || string(data) != want[n] {
			return fmt.Errorf("%s, committed %v, holds %q: %w", p, done[p], data, err)
		}
	}
	return nil
}

// Out of file descriptors, in the middle of anything, nothing is lost and nothing
// is promised in vain.
func TestNoDescriptors(t *testing.T) {
	d := newDisk(t, nil)
	if out, err := child(t, "descriptors", d.host, stateOf(d)).Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	again := reopenClosed(t, d)
	_, live := again.JournalLength()
	if hidden := hiddenFiles(t, d.host); len(hidden) != live {
		t.Errorf("hidden files %q, but %d records in the journal", hidden, live)
	}
}

// The mode of what is new depends on the Disk's umask alone.
func TestUmask(t *testing.T) {
	for _, umask := range []fs.FileMode{0o002, 0o027, 0o777} {
		d := newDisk(t, func(c *vfs.DiskConfig) { c.Umask = umask })
		if err := os.Mkdir(d.at("/group"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d.at("/group"), 0o777|fs.ModeSetgid); err != nil {
			t.Fatal(err)
		}
		upload(t, d, "/f", vfs.StageOptions{}, "x", commit)
		if err := errors.Join(d.Mkdir("/d"), d.Mkdir("/group/d")); err != nil {
			t.Fatal(err)
		}
		for p, want := range map[vfs.Path]fs.FileMode{"/f": 0o666 &^ umask, "/d": fs.ModeDir | 0o777&^umask,
			"/group/d": fs.ModeDir | fs.ModeSetgid | 0o777&^umask} {
			if info, err := d.Stat(p); err != nil || info.Mode != want {
				t.Errorf("umask %v: %s has mode %v, %v, want %v", umask, p, info.Mode, err, want)
			}
		}
	}
}
