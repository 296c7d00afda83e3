package identity

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// ErrKept says that the process has more rights than it was to have. It must not go on.
var ErrKept = errors.New("rights of root are left")

// Become makes the process this user, for all threads and for good, and keeps of root's
// capabilities at most that of listening on ports below 1024. It then reads back what
// every thread is and has, and tries to be root again. After an error the process may be
// anything and must end.
func (u *User) Become(lowPorts bool) error {
	var keep uint64
	if lowPorts {
		keep = 1 << unix.CAP_NET_BIND_SERVICE
		if err := every(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0); err != nil {
			return fmt.Errorf("no capability can be kept: %w", err)
		}
	}
	groups := make([]int, 0, len(u.Groups))
	for _, g := range u.Groups {
		groups = append(groups, int(g))
	}
	for _, step := range []struct {
		call string
		do   func() error
	}{
		{"setgroups", func() error { return syscall.Setgroups(groups) }},
		{"setresgid", func() error { return syscall.Setresgid(int(u.GID), int(u.GID), int(u.GID)) }},
		{"setresuid", func() error { return syscall.Setresuid(int(u.UID), int(u.UID), int(u.UID)) }},
		{"capset", func() error { return setCapabilities(keep) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("the process cannot become %s: %s: %w", u, step.call, err)
		}
	}
	return u.verify(keep)
}

// Renounce gives up every capability, and those that programs would inherit, for all
// threads.
func Renounce() error {
	if err := every(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return err // EINVAL: Linux before 4.3, which has none
	}
	return setCapabilities(0)
}

// every does one system call in every thread. What its arguments point to stays where it
// is meanwhile.
//
//go:uintptrescapes
func every(call, a, b, c uintptr) error {
	// The library ends the process where it cannot list the threads.
	if _, err := os.ReadDir("/proc/self/task"); err != nil {
		return fmt.Errorf("the threads of the process cannot be listed: %w\n   = help: mount /proc", err)
	}
	if _, _, errno := psx.Syscall3(call, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

// setCapabilities sets the effective and permitted ones of every thread; nothing is left
// to programs.
func setCapabilities(set uint64) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: uint32(set), Permitted: uint32(set)}, {Effective: uint32(set >> 32), Permitted: uint32(set >> 32)}}
	return every(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
}

// verify looks at every thread.
func (u *User) verify(keep uint64) error {
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) == 0 {
		return fmt.Errorf("%w, perhaps: /proc does not tell\n   = help: mount /proc", ErrKept)
	}
	for _, task := range tasks {
		if err := u.verifyThread(task, keep); errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		} else if err != nil {
			return err
		}
	}
	return regain()
}

func (u *User) verifyThread(path string, keep uint64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	uid, gid := strconv.FormatUint(uint64(u.UID), 10), strconv.FormatUint(uint64(u.GID), 10)
	var groups []string
	for _, g := range u.Groups {
		groups = append(groups, strconv.FormatUint(uint64(g), 10))
	}
	none, kept := fmt.Sprintf("%016x", 0), fmt.Sprintf("%016x", keep)
	want := map[string][]string{"Uid": {uid, uid, uid, uid}, "Gid": {gid, gid, gid, gid}, "Groups": groups,
		"CapInh": {none}, "CapAmb": {none}, "CapPrm": {kept}, "CapEff": {kept}}
	seen := 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		words, asked := want[name]
		if !asked {
			continue
		}
		seen++
		if got := strings.Fields(value); !slices.Equal(got, words) {
			return fmt.Errorf("%w: a thread has %s %v, not %v", ErrKept, name, got, words)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if seen != len(want) {
		return fmt.Errorf("%w, perhaps: /proc tells %d of %d things", ErrKept, seen, len(want))
	}
	return nil
}

// regain tries to be root again, in a thread that is never used again.
func regain() error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		for _, try := range []struct {
			call string
			nr   uintptr
		}{{"setuid", unix.SYS_SETUID}, {"setgid", unix.SYS_SETGID}} {
			if _, _, errno := unix.RawSyscall(try.nr, 0, 0, 0); errno == 0 {
				result <- fmt.Errorf("%w: %s(0) works", ErrKept, try.call)
				return
			}
		}
		zero := uint32(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&zero)), 0); errno == 0 {
			result <- fmt.Errorf("%w: setgroups works", ErrKept)
			return
		}
		result <- nil
	}()
	return <-result
}
