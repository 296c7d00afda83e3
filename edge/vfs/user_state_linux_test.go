package vfs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// childSpoil takes from a thread, while it bears a user's rights, what it needs to
// get its own back, and checks that nothing runs on it ever after.
func childSpoil([]string) error {
	before := ownIdentity()
	spoiled, first := 0, unix.Getpid()
	for spoiled < 20 {
		err := vfs.RunAs(ann(), func() error {
			if unix.Gettid() == first {
				return nil // this one cannot end; it would be parked for ever
			}
			spoiled++
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			if err := unix.Capget(&header, &data[0]); err != nil {
				return err
			}
			data[0].Effective &^= 1 << unix.CAP_SETGID
			data[0].Permitted &^= 1 << unix.CAP_SETGID
			return unix.Capset(&header, &data[0])
		})
		if err != nil {
			return err
		}
		if now := ownIdentity(); now != before {
			return fmt.Errorf("this goroutine runs as %s", now)
		}
	}
	// A thread ends when it is scheduled to, which nobody tells.
	for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		all, err := threadIdentities()
		if err != nil {
			return err
		}
		if slices.Equal(all, []string{before}) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the threads are %q, and this one %q", all, before)
		}
	}
}

func ownIdentity() string {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return err.Error()
	}
	return identity(string(text))
}

// A thread that does not get its identity back is thrown away.
func TestAsUserSpoiled(t *testing.T) {
	needRoot(t)
	if out, err := child(t, "spoil").Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// childBecome says what comes of taking a user's rights. Argument: the root.
func childBecome(args []string) error {
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: args[0]})
	if err != nil {
		return err
	}
	fsys, err := vfs.AsUser(d, ann())
	if err != nil {
		fmt.Println(err)
		return nil
	}
	s, err := fsys.(vfs.Writer).Stage("/f", vfs.StageOptions{})
	if err == nil {
		err = s.Commit(context.Background())
	}
	if err != nil {
		return err
	}
	_, err = fsys.Open("/secret")
	fmt.Println(err)
	return d.Close()
}

// Without the capabilities it is refused, and why is said; with too many of them
// too. With just those two the server need not be root.
func TestAsUserPrivileges(t *testing.T) {
	needRoot(t)
	d := newDisk(t, nil)
	reachable(t, d.host)
	if err := errors.Join(os.Chmod(d.host, 0o777), os.WriteFile(d.at("/secret"), nil, 0o600),
		os.Chown(d.at("/secret"), 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	refused := vfs.ErrNoAsUser.Error()
	for _, c := range []struct {
		what string
		caps []uintptr
		want string
	}{
		{"nothing", nil, refused + ": CAP_SETGID is needed"},
		{"no users", []uintptr{unix.CAP_SETGID}, refused + ": CAP_SETUID is needed"},
		{"no groups", []uintptr{unix.CAP_SETUID}, refused + ": CAP_SETGID is needed"},
		{"too much", []uintptr{unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_DAC_READ_SEARCH}, refused + ": the server keeps capabilities"},
		{"just enough", []uintptr{unix.CAP_SETUID, unix.CAP_SETGID}, "open /secret: permission denied"},
	} {
		cmd := child(t, "become", d.host)
		cmd.Path = readable(t, cmd.Path, d.host+"/../test-binary")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: c.caps}
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), c.want) {
			var exit *exec.ExitError
			t.Errorf("%s: %q, %v %v", c.what, out, err, errors.As(err, &exit))
		}
	}
	if owner := hostOwner(t, d.at("/f")); owner != [2]uint32{12345, 23456} {
		t.Errorf("the file of a server that is not root belongs to %v", owner)
	}
}

// The server's books are kept with its own rights, whoever's upload it is.
func TestAsUserJournal(t *testing.T) {
	needRoot(t)
	d := userDisk(t, nobody(), func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityNone })
	upload(t, d, "/part", vfs.StageOptions{Owner: "ann"}, "123", keep)
	upload(t, d, "/f", vfs.StageOptions{}, "x", commit)
	first := d.JournalFile()
	for i := 0; d.JournalFile() == first; i++ {
		if i > 10000 {
			t.Fatal("the journal was never rewritten")
		}
		upload(t, d, "/f", vfs.StageOptions{}, "x", commit)
	}
	if size, live := d.JournalLength(); size > 1000 || live != 1 {
		t.Errorf("the new journal has %d bytes and %d records", size, live)
	}
	if owner := hostOwner(t, filepath.Join(stateOf(d), d.JournalFile())); owner != [2]uint32{} {
		t.Errorf("the journal belongs to %v", owner)
	}
	// What another user has kept of an upload goes when the file is published, though
	// nobody else may remove it.
	if err := os.Chmod(d.host, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	other := asUser(t, d.Disk, ann())
	upload(t, other, "/shared", vfs.StageOptions{Owner: "ann"}, "123", keep)
	upload(t, other, "/shared", vfs.StageOptions{Owner: "bob"}, "123", keep)
	upload(t, d, "/shared", vfs.StageOptions{}, "x", commit)
	if hidden := hiddenFiles(t, d.host); len(hidden) != 1 {
		t.Errorf("hidden files %q", hidden)
	}
}

// A killed server's books are settled and a predecessor's taken over, also when
// the first to ask is a user.
func TestAsUserTakesOver(t *testing.T) {
	needRoot(t)
	d := newDisk(t, nil)
	if err := os.Chmod(d.host, 0o777); err != nil {
		t.Fatal(err)
	}
	old := reopenOnce(t, configOf(d))
	upload(t, asUser(t, old.Disk, ann()), "/f", vfs.StageOptions{Owner: "ann"}, "123", keep)
	upload(t, d, "/log", vfs.StageOptions{}, "whole\n", commit)
	if err := os.Chmod(d.at("/log"), 0o666); err != nil {
		t.Fatal(err)
	}
	successor := reopen(t, configOf(d))
	kill := beside(t, d, "/log")
	kill()
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	u := asUser(t, successor.Disk, ann())
	upload(t, u, "/log", vfs.StageOptions{Append: true}, "whole\n", commit)
	upload(t, u, "/f", vfs.StageOptions{Owner: "ann", Append: true}, "4", commit)
	holds(t, d.at("/f"), "1234")
	if owner := hostOwner(t, d.at("/f")); owner != [2]uint32{12345, 23456} {
		t.Errorf("the file belongs to %v", owner)
	}
}

// A user's home below directories that he may not read: the server opens it.
func TestAsUserHome(t *testing.T) {
	needRoot(t)
	d := newDisk(t, nil)
	if err := errors.Join(d.Mkdir("/homes"), d.Mkdir("/homes/ann"), os.Chmod(d.at("/homes"), 0o700),
		os.Chown(d.at("/homes/ann"), 12345, 23456), os.Chmod(d.at("/homes/ann"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := asUser(t, d.Disk, ann()).Sub("/homes/ann"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("opened with the user's own rights: %v", err)
	}
	view, err := d.Sub("/homes/ann")
	if err != nil {
		t.Fatal(err)
	}
	home := view.(*vfs.Disk)
	u := asUser(t, home, ann())
	upload(t, u, "/f", vfs.StageOptions{}, "x", commit)
	upload(t, u, "/part", vfs.StageOptions{Owner: "ann"}, "12", keep)
	upload(t, u, "/part", vfs.StageOptions{Owner: "ann", Append: true}, "3", commit)
	if owner := hostOwner(t, d.at("/homes/ann/part")); owner != [2]uint32{12345, 23456} {
		t.Errorf("the file belongs to %v", owner)
	}
	if got, want := u.HostPath("/f"), d.at("/homes/ann/f"); got != want {
		t.Errorf("HostPath is %q, want %q", got, want)
	}
	// Closing the user's view closes nothing; closing the home does.
	if err := u.Close(); err != nil {
		t.Error(err)
	}
	if _, err := u.Stat("/f"); err != nil {
		t.Error(err)
	}
	if err := home.Close(); err != nil {
		t.Error(err)
	}
	if _, err := u.Stat("/f"); err == nil {
		t.Error("the user's view outlived its home")
	}
}

func TestAsUserOpenIsBare(t *testing.T) {
	needRoot(t)
	d := userDisk(t, nobody(), nil)
	upload(t, d, "/f", vfs.StageOptions{}, "hello", commit)
	f, err := d.Open("/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, bare := f.(*os.File); !bare {
		t.Errorf("Open returned a %T", f)
	}
}

// BenchmarkAsUser shows what taking a user's rights costs, against the same calls
// with the server's own.
func BenchmarkAsUser(b *testing.B) {
	needRoot(b)
	dir := b.TempDir()
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: dir, Durability: vfs.DurabilityNone})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644), os.Chmod(dir, 0o777)); err != nil {
		b.Fatal(err)
	}
	for name, view := range map[string]*vfs.Disk{"server": d, "user": asUser(b, d, vfs.Credentials{UID: 12345, GID: 23456, Groups: []uint32{1, 2, 3}})} {
		b.Run("stat/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := view.Stat("/f"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("open/"+name, func(b *testing.B) {
			for b.Loop() {
				f, err := view.Open("/f")
				if err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
		b.Run("parallel/"+name, func(b *testing.B) {
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := view.Stat("/f"); err != nil {
						b.Error(err)
					}
				}
			})
		})
		b.Run("store/"+name, func(b *testing.B) {
			for b.Loop() {
				s, err := view.Stage(vfs.Path("/"+name), vfs.StageOptions{})
				if err == nil {
					err = s.Commit(context.Background())
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
