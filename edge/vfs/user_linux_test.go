package vfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/vfs/vfstest"
)

// Two users of the host that need no entry anywhere.
func nobody() vfs.Credentials { return vfs.Credentials{UID: 65534, GID: 65534} }
func ann() vfs.Credentials    { return vfs.Credentials{UID: 12345, GID: 23456} }

// asUser returns the view of a user, with the host's root for the test's own use.
func asUser(t testing.TB, d *vfs.Disk, c vfs.Credentials) *vfs.Disk {
	t.Helper()
	fsys, err := vfs.AsUser(d, c)
	if err != nil {
		t.Fatal(err)
	}
	return fsys.(*vfs.Disk)
}

// userDisk makes a Disk whose root belongs to a user, as the user sees it.
func userDisk(t *testing.T, c vfs.Credentials, adjust func(*vfs.DiskConfig)) linkedDisk {
	t.Helper()
	d := newDisk(t, adjust)
	if err := os.Chown(d.host, int(c.UID), int(c.GID)); err != nil {
		t.Fatal(err)
	}
	return linkedDisk{asUser(t, d.Disk, c), d.host}
}

// All that a Disk does it does with a user's rights, in what is the user's.
func TestAsUserDisk(t *testing.T) {
	needRoot(t)
	for name, names := range map[string]bool{"unnamed": false, "names": true} {
		t.Run(name, func(t *testing.T) {
			vfstest.TestFS(t, func(t *testing.T) vfs.FS {
				d := tidy(t, userDisk(t, nobody(), nil))
				if names {
					d.StageUnderNames()
				}
				return d
			})
		})
	}
	threadsAreOurs(t)
}

// identities returns what threadIdentities does.
func identities(t testing.TB) []string {
	t.Helper()
	all, err := threadIdentities()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// threadIdentities returns the lines of /proc that say who the threads of this
// process are, each once.
func threadIdentities() ([]string, error) {
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no threads: %w", err)
	}
	var all []string
	for _, name := range files {
		if text, err := os.ReadFile(name); err == nil { // else the thread has ended
			all = append(all, identity(string(text)))
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// identity picks the lines of a status file that matter here.
func identity(status string) string {
	var lines []string
	for line := range strings.Lines(status) {
		switch word, _, _ := strings.Cut(line, ":"); word {
		case "Uid", "Gid", "Groups", "CapEff":
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(lines, "; ")
}

// threadsAreOurs checks that every thread of the process has the same identity:
// root's.
func threadsAreOurs(t testing.TB) {
	t.Helper()
	if all := identities(t); len(all) != 1 || !strings.HasPrefix(all[0], "Uid: 0 0 0 0; Gid: 0 0 0 0; ") {
		t.Errorf("the threads of the process are\n%s", strings.Join(all, "\n"))
	}
}

func TestRunAs(t *testing.T) {
	needRoot(t)
	before := identities(t)
	c := vfs.Credentials{UID: 12345, GID: 23456, Groups: []uint32{7, 1 << 31}}
	var inside string
	broken := errors.New("broken")
	err := vfs.RunAs(c, func() error {
		text, err := os.ReadFile("/proc/thread-self/status")
		inside = identity(string(text))
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	if !strings.HasPrefix(inside, "Uid: 0 0 0 12345; Gid: 0 0 0 23456; Groups: 7 2147483648; CapEff: ") {
		t.Error(inside)
	}
	var caps uint64
	if _, err := fmt.Sscanf(inside[strings.LastIndexByte(inside, ' '):], "%x", &caps); err != nil || caps&0x1f != 0 {
		t.Errorf("capabilities inside: %#x, %v", caps, err)
	}
	panicked := func() (got any) {
		defer func() { got = recover() }()
		return vfs.RunAs(c, func() error { panic("out of it") })
	}()
	if panicked != "out of it" {
		t.Errorf("a panic came out as %v", panicked)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		_ = vfs.RunAs(c, func() error { runtime.Goexit(); return nil })
		done <- true
	}()
	if <-done {
		t.Error("the goroutine goes on after runtime.Goexit in the function")
	}
	if after := identities(t); !slices.Equal(before, after) {
		t.Errorf("before %q, after %q", before, after)
	}
}

func TestAsUserRefused(t *testing.T) {
	d := newDisk(t, nil)
	for what, c := range map[string]vfs.Credentials{
		"root": {}, "no user": {UID: 1<<32 - 1, GID: 1}, "no group": {UID: 1, GID: 1<<32 - 1},
		"no supplementary group": {UID: 1, GID: 1, Groups: []uint32{1<<32 - 1}},
		"too many groups":        {UID: 1, GID: 1, Groups: make([]uint32, 70000)},
	} {
		if fsys, err := vfs.AsUser(d, c); !errors.Is(err, vfs.ErrNoAsUser) || fsys != nil {
			t.Errorf("%s: %v, %v", what, fsys, err)
		}
		if err := vfs.RunAs(c, func() error { t.Errorf("%s: called", what); return nil }); !errors.Is(err, vfs.ErrNoAsUser) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := vfs.AsUser(vfs.NewMem(), nobody()); !errors.Is(err, vfs.ErrNoAsUser) {
		t.Error(err)
	}
}

// hostOwner returns who owns a file of the host.
func hostOwner(t *testing.T, name string) [2]uint32 {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return [2]uint32{st.Uid, st.Gid}
}

// What a user makes is the user's.
func TestAsUserOwns(t *testing.T) {
	needRoot(t)
	for _, names := range []bool{false, true} {
		d := userDisk(t, ann(), nil)
		if names {
			d.StageUnderNames()
		}
		if err := errors.Join(os.WriteFile(d.at("/theirs"), []byte("theirs"), 0o666), os.Chmod(d.at("/theirs"), 0o666)); err != nil {
			t.Fatal(err)
		}
		upload(t, d, "/f", vfs.StageOptions{}, "file", commit)
		upload(t, d, "/g", vfs.StageOptions{Append: true}, "file", commit)
		upload(t, d, "/g", vfs.StageOptions{Append: true}, "+", commit)
		upload(t, d, "/u", vfs.StageOptions{Unique: true}, "unique", commit)
		upload(t, d, "/part", vfs.StageOptions{Owner: "ann"}, "123", keep)
		upload(t, d, "/part2", vfs.StageOptions{Owner: "ann"}, "123", keep)
		upload(t, d, "/part2", vfs.StageOptions{Owner: "ann", Offset: 2}, "x", commit)
		if err := errors.Join(d.Mkdir("/d"), d.Symlink("/f", "/d/l"), d.Rename("/f", "/d/f")); err != nil {
			t.Fatal(err)
		}
		d.Settled()
		err := filepath.WalkDir(d.host, func(path string, _ fs.DirEntry, err error) error {
			if owner := hostOwner(t, path); err == nil && path != d.at("/theirs") && owner != [2]uint32{12345, 23456} {
				t.Errorf("%s belongs to %v", path, owner)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		// Appending leaves a file its owner's; replacing it makes another one.
		upload(t, d, "/theirs", vfs.StageOptions{Append: true}, "+", commit)
		if owner := hostOwner(t, d.at("/theirs")); owner != [2]uint32{} {
			t.Errorf("after an append it belongs to %v", owner)
		}
		upload(t, d, "/theirs", vfs.StageOptions{}, "replaced", commit)
		if owner := hostOwner(t, d.at("/theirs")); owner != [2]uint32{12345, 23456} {
			t.Errorf("after it was replaced it belongs to %v", owner)
		}
	}
	threadsAreOurs(t)
}

// The kernel refuses what the user may not do, and grants what a group may.
func TestAsUserRights(t *testing.T) {
	needRoot(t)
	d := newDisk(t, nil)
	const group = 7777
	for _, err := range []error{
		os.Chmod(d.host, 0o755), os.WriteFile(d.at("/secret"), []byte("x"), 0o600), os.WriteFile(d.at("/theirs"), []byte("x"), 0o644),
		os.Mkdir(d.at("/shut"), 0o700), os.WriteFile(d.at("/shut/f"), nil, 0o666), os.Mkdir(d.at("/closed"), 0o755),
		os.WriteFile(d.at("/closed/f"), nil, 0o666), os.Mkdir(d.at("/sticky"), 0o777), os.Chmod(d.at("/sticky"), 0o777|fs.ModeSticky),
		os.WriteFile(d.at("/sticky/f"), nil, 0o666), os.Chmod(d.at("/sticky/f"), 0o666),
		os.WriteFile(d.at("/ours"), []byte("ours"), 0o640), os.Chown(d.at("/ours"), 0, group), os.Chmod(d.at("/ours"), 0o660),
		os.Mkdir(d.at("/names"), 0o744), os.WriteFile(d.at("/names/f"), nil, 0o666), os.Mkdir(d.at("/room"), 0o770), os.Chown(d.at("/room"), 0, group), os.Chmod(d.at("/room"), 0o770),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	u := asUser(t, d.Disk, nobody())
	for what, err := range refusals(u, "/secret", "/theirs", "/shut", "/closed", "/sticky", "/ours", "/room") {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A directory of which only the names may be read.
	if dir, err := u.ReadDir("/names"); err != nil {
		t.Error(err)
	} else if infos, err := dir.Next(9); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("described in a directory that may not be entered: %+v, %v", infos, err)
	} else if err := dir.(vfs.LookDir).Look([]string{"f"}, func(info *vfs.Info) { t.Errorf("%+v", info) }); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("looked at in a directory that may not be entered: %v", err)
	} else {
		_ = dir.Close()
	}
	for what, c := range map[string]vfs.Credentials{
		"primary group": {UID: 65534, GID: group}, "supplementary group": {UID: 65534, GID: 65534, Groups: []uint32{5, group, 6}},
	} {
		member := asUser(t, d.Disk, c)
		f, err := member.Open("/ours")
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		f.Close()
		upload(t, member, "/ours", vfs.StageOptions{Append: true}, "+", commit)
		upload(t, member, "/room/f", vfs.StageOptions{}, "x", commit)
		if _, err := member.Stat("/room/f"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if err := member.Remove("/room/f"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	holds(t, d.at("/ours"), "ours++")
	threadsAreOurs(t)
}

// refusals does what the user of TestAsUserRights may not do.
func refusals(u *vfs.Disk, secret, theirs, shut, closed, sticky, ours, room vfs.Path) map[string]error {
	errs := make(map[string]error)
	for _, p := range []vfs.Path{secret, ours, shut.Join("f"), room.Join("f")} {
		_, errs["open "+string(p)] = u.Open(p)
	}
	_, errs["stat in a directory"] = u.Stat(shut.Join("f"))
	_, errs["lstat in a directory"] = u.Lstat(shut.Join("f"))
	for _, p := range []vfs.Path{shut, room} {
		_, errs["list "+string(p)] = u.ReadDir(p)
		_, errs["view "+string(p)] = u.Sub(p)
	}
	for _, p := range []vfs.Path{theirs, secret, closed.Join("new"), ours, room.Join("new"), vfs.Path("/new")} {
		for what, opt := range map[string]vfs.StageOptions{"store": {}, "append": {Append: true}, "rest": {Offset: 1}} {
			if _, err := u.Stat(p); err != nil && opt.Offset > 0 {
				continue
			}
			_, errs[what+" "+string(p)] = u.Stage(p, opt)
		}
	}
	errs["mkdir"] = u.Mkdir(closed.Join("d"))
	errs["rmdir"] = u.Rmdir(closed)
	errs["remove"] = u.Remove(closed.Join("f"))
	errs["remove in a sticky directory"] = u.Remove(sticky.Join("f"))
	errs["rename"] = u.Rename(theirs, closed.Join("x"))
	errs["symlink"] = u.Symlink("f", closed.Join("l"))
	errs["chmod"] = u.Chmod(theirs, 0o777)
	errs["chtimes"] = u.Chtimes(theirs, time.Time{}, time.Unix(1, 0))
	if s, err := u.Stage(sticky.Join("f"), vfs.StageOptions{}); err == nil {
		errs["replace in a sticky directory"] = s.Commit(context.Background())
	} else {
		errs["replace in a sticky directory"] = err
	}
	return errs
}

// Many goroutines of two users and of the server itself at once: nobody ever has
// another one's rights.
func TestAsUserParallel(t *testing.T) {
	needRoot(t)
	d := newDisk(t, func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityNone })
	if err := os.Chmod(d.host, 0o777); err != nil {
		t.Fatal(err)
	}
	users := []vfs.Credentials{nobody(), ann()}
	views := []*vfs.Disk{asUser(t, d.Disk, users[0]), asUser(t, d.Disk, users[1])}
	for i, u := range views {
		p := vfs.Path(fmt.Sprint("/home", i))
		if err := errors.Join(u.Mkdir(p), u.Chmod(p, 0o700)); err != nil {
			t.Fatal(err)
		}
		upload(t, u, p.Join("f"), vfs.StageOptions{}, fmt.Sprint("of user ", i), commit)
	}
	var group sync.WaitGroup
	for worker := range 12 {
		group.Go(func() {
			for round := range 60 {
				if who := worker % 3; who < 2 {
					mingle(t, views, users, who, worker*1000+round)
				} else if _, err := d.Stat("/home0/f"); err != nil {
					t.Errorf("the server: %v", err)
				} else if owner := hostOwner(t, d.host); owner != [2]uint32{} {
					t.Errorf("the root belongs to %v", owner)
				}
			}
		})
	}
	group.Wait()
	threadsAreOurs(t)
}

// mingle does one thing of each kind as one of two users.
func mingle(t *testing.T, views []*vfs.Disk, users []vfs.Credentials, who, n int) {
	u, own, other := views[who], vfs.Path(fmt.Sprint("/home", who)), vfs.Path(fmt.Sprint("/home", 1-who))
	if f, err := u.Open(own.Join("f")); err != nil {
		t.Error(err)
	} else if data, err := io.ReadAll(f); string(data) != fmt.Sprint("of user ", who) || f.Close() != nil {
		t.Errorf("%q, %v", data, err)
	}
	_, open := u.Open(other.Join("f"))
	_, stat := u.Stat(other.Join("f"))
	_, list := u.ReadDir(other)
	_, store := u.Stage(other.Join("f"), vfs.StageOptions{})
	for _, err := range []error{open, stat, list, store, u.Mkdir(other.Join("d")), u.Remove(other.Join("f"))} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("user %d in the home of the other: %v", who, err)
		}
	}
	for _, p := range []vfs.Path{own.Join(fmt.Sprint(n)), vfs.Path(fmt.Sprint("/", n))} {
		s, err := u.Stage(p, vfs.StageOptions{Owner: fmt.Sprint(who)})
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = s.Write([]byte("x"))
		if n%2 == 0 {
			err = s.Discard(true)
		} else if err = s.Commit(context.Background()); err == nil {
			info, err := u.Lstat(p)
			if err != nil || info.UID != users[who].UID || info.GID != users[who].GID {
				t.Errorf("user %d made %+v, %v", who, info, err)
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
	if dir, err := u.ReadDir(own); err != nil {
		t.Error(err)
	} else if _, err := dir.Next(50); err != nil {
		t.Error(err)
	} else {
		_ = dir.Close()
	}
}
