package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/tests/executable"
)

// order is what a child does.
type order struct {
	Plan    Plan
	Options Options
	Dir     string // has tree, append, read and out
	Own     string // HOST:PORT of a listener of the test
	Free    int    // a port that nobody has
	Other   int    // a process of the same user
}

// report is what came of it: the errors of attempts by name, "" for success.
type report struct {
	State *State
	Err   string
	Tried map[string]string
}

func child(text string) int {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return 9
	}
	folder, err := unix.Open(filepath.Join(o.Dir, "out"), unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // opened before
	if err != nil {
		return 8
	}
	s, err := Close(&o.Plan, o.Options)
	r := report{State: s, Tried: map[string]string{}}
	if err != nil {
		r.Err = err.Error()
	}
	for name, try := range attempts(&o, folder) {
		r.Tried[name] = ""
		if err := try(); err != nil {
			var no syscall.Errno
			r.Tried[name] = err.Error()
			if errors.As(err, &no) {
				r.Tried[name] = unix.ErrnoName(no)
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return 7
	}
	return 0
}

// attempts are things to do in a process that is shut off.
func attempts(o *order, folder int) map[string]func() error {
	in := func(parts ...string) string { return filepath.Join(append([]string{o.Dir}, parts...)...) }
	open := func(flag int, parts ...string) func() error {
		return func() error {
			f, err := os.OpenFile(in(parts...), flag, 0o600)
			return errors.Join(err, closed(f))
		}
	}
	listen := func(address string) func() error {
		return func() error {
			l, err := net.Listen("tcp", address)
			return errors.Join(err, closed(l))
		}
	}
	call := func(n uintptr, args ...uintptr) func() error {
		return func() error {
			args = append(args, 0, 0, 0)
			if _, _, errno := unix.Syscall(n, args[0], args[1], args[2]); errno != 0 {
				return errno
			}
			return nil
		}
	}
	return map[string]func() error{
		"write in a tree":    func() error { return os.WriteFile(in("tree", "new"), []byte("x"), 0o600) },
		"move in a tree":     func() error { return os.Rename(in("tree", "a"), in("tree", "d", "a")) },
		"unnamed in a tree":  func() error { return unnamed(in("tree"), "named") },
		"list a tree":        func() error { _, err := os.ReadDir(in("tree")); return err },
		"read":               open(os.O_RDONLY, "read", "a"),
		"write where read":   open(os.O_WRONLY, "read", "a"),
		"append":             open(os.O_WRONLY|os.O_APPEND|os.O_CREATE, "append", "new"),
		"cut where append":   open(os.O_WRONLY|os.O_TRUNC, "append", "a"),
		"read where append":  open(os.O_RDONLY, "append", "a"),
		"remove log":         func() error { return os.Remove(in("append", "old")) },
		"read outside":       open(os.O_RDONLY, "out", "a"),
		"make outside":       open(os.O_WRONLY|os.O_CREATE, "out", "b"),
		"outside, by folder": func() error { _, err := unix.Openat(folder, "a", unix.O_RDONLY, 0); return err },
		"outside, by link":   open(os.O_RDONLY, "tree", "link"),
		"execute":            func() error { return run("/bin/true") },
		"execute, no file":   func() error { return unix.Exec("/nowhere", []string{"x"}, nil) },
		"bind own choice":    listen("127.0.0.1:0"),
		"bind another":       listen("127.0.0.1:" + itoa(o.Free)),
		"bind multipath":     func() error { return multipath(o.Free) },
		"connect":            func() error { c, err := net.Dial("tcp", o.Own); return errors.Join(err, closed(c)) },
		"connect by sending": func() error { return fastOpen(o.Own) },
		"connect by path":    func() error { c, err := net.Dial("unix", in("socket")); return errors.Join(err, closed(c)) },
		"pair of sockets": func() error {
			_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			return err
		},
		"type at terminal":  call(unix.SYS_IOCTL, uintptr(folder), unix.TIOCSTI),                // ENOTTY otherwise
		"type, wide number": call(unix.SYS_IOCTL, uintptr(folder), 0xffffffff<<32|unix.TIOCSTI), // the kernel takes the lower half
		"terminal's menu":   call(unix.SYS_IOCTL, uintptr(folder), unix.TIOCLINUX),
		"firewall":          netlink(unix.NETLINK_NETFILTER),
		"interfaces":        netlink(unix.NETLINK_ROUTE),
		"signal another":    func() error { return unix.Kill(o.Other, 0) },
		"signal itself":     func() error { return unix.Kill(os.Getpid(), 0) },
		"unshare":           call(unix.SYS_UNSHARE, unix.CLONE_NEWNS),
		"ptrace":            call(unix.SYS_PTRACE, unix.PTRACE_PEEKUSR, uintptr(o.Other)), // ESRCH otherwise: it is not attached
		"io_uring":          call(unix.SYS_IO_URING_SETUP, 1, 0),
		"user namespace":    call(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_FS|unix.CLONE_VM|unix.CLONE_THREAD|unix.CLONE_SIGHAND, 0), // EINVAL otherwise
		"fork":              func() error { return run("/nowhere/at/all") },
		"map to execute":    mapping,
		"threads":           threads,
		"cores":             cores,
	}
}

// closed closes what may not be there.
func closed(c io.Closer) error {
	if v := reflect.ValueOf(c); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	return c.Close()
}

// unnamed does what an upload does: a file without a name gets one through /proc.
func unnamed(dir, name string) error {
	d, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(d, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+itoa(fd), d, name, unix.AT_SYMLINK_FOLLOW)
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// multipath binds a port that is not allowed, past what Landlock takes for TCP.
func multipath(port int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

// fastOpen connects without connect(2), which Landlock does not see.
func fastOpen(address string) error {
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte{127, 0, 0, 1}})
}

func netlink(protocol int) func() error {
	return func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
}

// run runs a program to its end.
func run(program string) error {
	pid, err := syscall.ForkExec(program, []string{program}, nil)
	if err == nil {
		_, err = syscall.Wait4(pid, nil, 0, nil)
	}
	return err
}

// mapping maps memory as a compiler of policies does.
func mapping() error {
	b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	return errors.Join(unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC), unix.Munmap(b))
}

// threads reports a thread without the filter or with rights to gain.
func threads() error {
	all, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(all) < 2 {
		return errors.New("there are no threads to look at")
	}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), "NoNewPrivs:\t1\n") || !strings.Contains(string(text), "Seccomp:\t2\n") {
			return errors.New(name + " is free")
		}
	}
	return nil
}

func cores() error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &l); err != nil || l.Cur != 0 || l.Max != 0 {
		return errors.Join(err, errors.New("a core may be written"))
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		return errors.Join(err, errors.New("the process is dumpable"))
	}
	return nil
}

// shut runs a child with the plan and tells what it could do.
func shut(t *testing.T, o order, as *syscall.Credential) report {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(o.Dir, "program") // go test's own directory may be closed to others
	if err := os.Link(self, program); err != nil {
		copied(t, self, program)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), childVar+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

func copied(t *testing.T, from, to string) {
	t.Helper()
	if err := executable.Copy(to, from); err != nil {
		t.Fatal(err)
	}
}

// land makes the directories of an order, and a plan of them.
func land(t *testing.T) order {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, d := range []string{"", "tree", "tree/d", "append", "read", "out"} {
		ok(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
		ok(t, os.Chmod(filepath.Join(dir, d), 0o777))
		if d != "" && d != "tree/d" {
			ok(t, os.WriteFile(filepath.Join(dir, d, "a"), []byte("a"), 0o666))
			ok(t, os.Chmod(filepath.Join(dir, d, "a"), 0o666))
		}
	}
	ok(t, os.WriteFile(filepath.Join(dir, "append", "old"), nil, 0o666))
	path, err := net.Listen("unix", filepath.Join(dir, "socket"))
	ok(t, err)
	t.Cleanup(func() { _ = path.Close() })
	ok(t, os.Chmod(filepath.Join(dir, "socket"), 0o777))
	ok(t, os.Symlink(filepath.Join(dir, "out", "a"), filepath.Join(dir, "tree", "link")))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	t.Cleanup(func() { _ = l.Close() })
	other, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	ok(t, other.Close())
	p := Plan{Paths: []Path{}, Bind: []Ports{}, Connect: []string{}}
	p.add(filepath.Join(dir, "tree"), Tree, "test")
	p.add(filepath.Join(dir, "append"), Append, "test")
	p.add(filepath.Join(dir, "read"), Read, "test")
	p.add("/proc/self/status", Read, "test")
	p.Paths[3].Path = "/proc/self" // the child's
	p.bind(0, 0, "test")
	return order{Plan: p, Options: Options{Landlock: On, Seccomp: true}, Dir: dir, Own: l.Addr().String(), Free: other.Addr().(*net.TCPAddr).Port, Other: os.Getpid()}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants are the errors of a process that is shut off, by a kernel's ABI of Landlock.
func wants(abi int, connect bool) map[string]string {
	w := map[string]string{"execute": "EPERM", "execute, no file": "EPERM", "fork": "EPERM", "unshare": "EPERM", "ptrace": "EPERM", "io_uring": "EPERM",
		"user namespace": "EPERM", "bind multipath": "EPROTONOSUPPORT", "connect by sending": "ENOTSUP", "connect by path": "EAFNOSUPPORT",
		"type at terminal": "EPERM", "type, wide number": "EPERM", "terminal's menu": "EPERM", "firewall": "EPROTONOSUPPORT"}
	if abi >= abiRefer {
		for _, name := range []string{"write where read", "read where append", "remove log", "read outside", "make outside", "outside, by folder", "outside, by link"} {
			w[name] = "EACCES"
		}
	}
	if abi >= abiTruncate {
		w["cut where append"] = "EACCES"
	}
	if abi >= abiTCP {
		w["bind another"] = "EACCES"
		if !connect {
			w["connect"] = "EACCES"
		}
	}
	if abi >= abiScope {
		w["signal another"] = "EPERM"
	}
	return w
}

func compare(t *testing.T, r report, want map[string]string) {
	t.Helper()
	for name, got := range r.Tried {
		if got != want[name] {
			t.Errorf("%s: %q, want %q", name, got, want[name])
		}
	}
	for name := range want {
		if _, tried := r.Tried[name]; !tried {
			t.Errorf("%s was not tried", name)
		}
	}
}

// What a process can do that is shut off, for root and for another user.
func TestClose(t *testing.T) {
	for name, as := range map[string]*syscall.Credential{"this user": nil, "another": {Uid: 65534, Gid: 65534}} {
		t.Run(name, func(t *testing.T) {
			o := land(t)
			if as != nil && os.Geteuid() != 0 {
				as = nil // it is another one than root already
			}
			r := shut(t, o, as)
			want := wants(landlockABI(), false)
			if as != nil && landlockABI() < abiScope {
				want["signal another"] = "EPERM" // root's
			}
			compare(t, r, want)
			if r.Err != "" || r.State.ABI != landlockABI() {
				t.Errorf("%s; %+v", r.Err, r.State)
			}
			t.Logf("%s in %v", r.State, r.State.Took)
		})
	}
}

// Where connections are made, where children are to be ended.
func TestCloseConnect(t *testing.T) {
	o := land(t)
	o.Plan.Connect, o.Plan.Children = []string{"test"}, true
	want := wants(landlockABI(), true)
	delete(want, "signal another")
	compare(t, shut(t, o, nil), want)
}

// A server whose policies are built from source, by a process that it started before, is
// shut off as any other: its sandbox can be required, and what it watches it can only read.
func TestCloseWatch(t *testing.T) {
	for name, watched := range map[string]bool{"without its rule": false, "with it": true} {
		t.Run(name, func(t *testing.T) {
			o := land(t)
			source := filepath.Join(o.Dir, "read")
			o.Plan.Paths = slices.DeleteFunc(o.Plan.Paths, func(p Path) bool { return p.Path == source })
			if landlockABI() >= abiScope {
				o.Options.Landlock = Required
			}
			o.Plan.Children = true
			want := wants(landlockABI(), false)
			delete(want, "signal another")
			if watched {
				o.Plan.Watch(source, "source of a policy, which is watched")
			} else if landlockABI() >= abiRefer {
				want["read"] = "EACCES"
			}
			r := shut(t, o, nil)
			compare(t, r, want)
			if r.Err != "" {
				t.Error(r.Err)
			}
		})
	}
}

// What is off is off, and is not missing.
func TestCloseOff(t *testing.T) {
	o := land(t)
	o.Options = Options{Landlock: Off, Seccomp: true}
	r := shut(t, o, nil)
	compare(t, r, wants(0, true))
	if got := r.State.String(); got != "on, but: files off, network off, processes off" || len(r.State.Lacking()) != 0 {
		t.Error(got)
	}
	o = land(t)
	o.Options = Options{Landlock: Off}
	if r = shut(t, o, nil); r.State.String() != "off" || r.Tried["threads"] == "" || r.Tried["cores"] == "" {
		t.Errorf("%s: %v", r.State, r.Tried)
	}
}

// Without the list of system calls Multipath TCP is a way around the ports, and the
// state says so.
func TestCloseWithoutList(t *testing.T) {
	o := land(t)
	o.Options.Seccomp = false
	r := shut(t, o, nil)
	want := "on, but: network partly, system calls off"
	if landlockABI() < abiTCP {
		want = r.State.String()
	}
	if r.State.String() != want || landlockABI() >= abiRefer && r.Tried["execute"] != "EACCES" {
		t.Errorf("%s: %v", r.State, r.Tried)
	}
}

// The program of the filter is one that the kernel takes, and no longer than a jump.
func TestFilter(t *testing.T) {
	seen := map[uint32]bool{}
	for _, n := range append(denied(), executing()...) {
		if seen[n] {
			t.Errorf("%d is named twice", n)
		}
		seen[n] = true
	}
	for _, n := range []uint32{unix.SYS_OPENAT, unix.SYS_PRCTL, unix.SYS_SETFSUID, unix.SYS_MMAP, unix.SYS_MPROTECT, unix.SYS_SPLICE, unix.SYS_SENDFILE, unix.SYS_LINKAT} {
		if seen[n] {
			t.Errorf("%d is needed", n)
		}
	}
	if unsafe.Sizeof(unix.SockFilter{}) != 8 {
		t.Error("struct sock_filter has another form")
	}
}
