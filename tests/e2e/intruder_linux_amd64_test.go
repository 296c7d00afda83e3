package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// intruder makes system calls in the place of a running server, as somebody does who
// has taken it over. It is a tracer, so the goroutine keeps its thread.
type intruder struct {
	t      *testing.T
	thread int
	kept   syscall.PtraceRegs // the server's own
	at     uint64             // a system call instruction of the server
	room   uint64             // memory of its own in the server, for texts
}

// intrude stops one of the server's threads, one that waits.
func intrude(t *testing.T, s *server) *intruder {
	t.Helper()
	runtime.LockOSThread()
	for range 1000 {
		for _, dir := range must(filepath.Glob(fmt.Sprintf("/proc/%d/task/*", s.cmd.Process.Pid)))(t) {
			i := &intruder{t: t, thread: must(strconv.Atoi(filepath.Base(dir)))(t)}
			if err := syscall.PtraceAttach(i.thread); errors.Is(err, syscall.ESRCH) {
				continue
			} else if err != nil {
				cannot(t, "no process can be traced here: "+err.Error())
			}
			if i.stopped(); i.waits() {
				i.settle()
				return i
			}
			ok(t, syscall.PtraceDetach(i.thread))
		}
	}
	t.Fatal("no thread of the server waits")
	return nil
}

// settle takes a page for texts. Below the stack of the thread may be that of another
// goroutine, which runs meanwhile.
func (i *intruder) settle() {
	i.t.Helper()
	at, errno := i.result(unix.SYS_MMAP, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, -1, 0)
	if errno != 0 {
		i.t.Fatalf("mmap: %v", errno)
	}
	i.room = uint64(at)
}

// waits reports whether the thread waits for others or for the network.
func (i *intruder) waits() bool {
	i.t.Helper()
	ok(i.t, syscall.PtraceGetRegs(i.thread, &i.kept))
	i.at = i.kept.Rip - 2
	code := make([]byte, 2)
	if _, err := syscall.PtracePeekText(i.thread, uintptr(i.at), code); err != nil || string(code) != "\x0f\x05" {
		return false
	}
	if n := int64(i.kept.Rax); n <= -512 && n >= -516 { // it was to be made again
		i.kept.Rax = ^uint64(syscall.EINTR) + 1
	}
	return slices.Contains([]uint64{unix.SYS_FUTEX, unix.SYS_EPOLL_WAIT, unix.SYS_EPOLL_PWAIT}, i.kept.Orig_rax)
}

func (i *intruder) stopped() {
	i.t.Helper()
	var status syscall.WaitStatus
	must(syscall.Wait4(i.thread, &status, syscall.WALL, nil))(i.t)
	if !status.Stopped() {
		i.t.Fatalf("the server is not there any more: %x", status)
	}
}

// call makes one system call and tells how it failed.
func (i *intruder) call(n uint64, args ...any) syscall.Errno {
	i.t.Helper()
	_, errno := i.result(n, args...)
	return errno
}

// result makes one system call.
func (i *intruder) result(n uint64, args ...any) (int, syscall.Errno) {
	i.t.Helper()
	regs := i.kept
	free := i.room
	into := []*uint64{&regs.Rdi, &regs.Rsi, &regs.Rdx, &regs.R10, &regs.R8, &regs.R9}
	for k, arg := range args {
		switch arg := arg.(type) {
		case int:
			*into[k] = uint64(int64(arg))
		case []byte:
			must(syscall.PtracePokeData(i.thread, uintptr(free), arg))(i.t)
			*into[k] = free
			free += uint64(len(arg)+15) &^ 15
		default:
			i.t.Fatalf("%T", arg)
		}
	}
	regs.Rax, regs.Orig_rax, regs.Rip = n, ^uint64(0), i.at
	ok(i.t, syscall.PtraceSetRegs(i.thread, &regs))
	for range 2 { // into the call, and out of it
		for {
			ok(i.t, syscall.PtraceSyscall(i.thread, 0))
			i.stopped()
			var info syscall.PtraceRegs
			ok(i.t, syscall.PtraceGetRegs(i.thread, &info))
			if info.Rip == i.at+2 {
				break // a signal stops elsewhere
			}
		}
	}
	ok(i.t, syscall.PtraceGetRegs(i.thread, &regs))
	r := int64(regs.Rax)
	if r < 0 && r > -4096 {
		return -1, syscall.Errno(-r)
	}
	return int(r), 0
}

// leave lets the server go on.
func (i *intruder) leave() {
	i.t.Helper()
	ok(i.t, syscall.PtraceSetRegs(i.thread, &i.kept))
	ok(i.t, syscall.PtraceDetach(i.thread))
	runtime.UnlockOSThread()
}

func text(s string) []byte { return append([]byte(s), 0) }

// From inside of a serving process: files outside of the roots, programs, ports and
// other processes are out of reach, and what is served is not.
func TestSandboxInside(t *testing.T) {
	p := newPlace(t)
	ok(t, os.WriteFile(p.far("secret"), []byte("x"), 0o644))
	ok(t, os.WriteFile(p.in("a"), []byte("x"), 0o644))
	ok(t, os.Symlink(p.far("secret"), p.in("link")))
	s := p.serve(t, listener())
	i := intrude(t, s)
	var got strings.Builder
	abi := landlock()
	since := func(version int, no syscall.Errno) syscall.Errno {
		if abi < version {
			return 0
		}
		return no
	}
	file := func(path string, flags int) syscall.Errno {
		return i.call(unix.SYS_OPENAT, unix.AT_FDCWD, text(path), flags, 0o600)
	}
	const read, creat = unix.O_RDONLY | unix.O_CLOEXEC, unix.O_WRONLY | unix.O_CREAT | unix.O_CLOEXEC
	for _, c := range []struct {
		what      string
		got, want syscall.Errno
	}{
		{"a file of the root", file(p.in("a"), read), 0},
		{"a new file of the root", file(p.in("new"), creat), 0},
		{"a file outside", file(p.far("secret"), read), since(2, syscall.EACCES)},
		{"a file outside, by a link", file(p.in("link"), read), since(2, syscall.EACCES)},
		{"a new file outside", file(p.far("new"), creat), since(2, syscall.EACCES)},
		{"passwords", file("/etc/shadow", read), since(2, syscall.EACCES)},
		{"passwords, past the root of its own", file("/proc/self/root/etc/shadow", read), since(2, syscall.EACCES)},
		{"its own memory", file("/proc/self/mem", unix.O_RDWR|unix.O_CLOEXEC), since(2, syscall.EACCES)},
		{"a program", i.call(unix.SYS_EXECVE, text("/bin/sh"), 0, 0), syscall.EPERM},
		{"a program by a file", i.call(unix.SYS_EXECVEAT, unix.AT_FDCWD, text("/bin/sh"), 0, 0), syscall.EPERM},
		{"a process", i.call(unix.SYS_FORK), syscall.EPERM},
		{"a namespace", i.call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER), syscall.EPERM},
		{"io_uring", i.call(unix.SYS_IO_URING_SETUP, 1, 0), syscall.EPERM},
		{"bpf", i.call(unix.SYS_BPF, 0, 0, 0), syscall.EPERM},
		{"the test, by a signal", i.call(unix.SYS_KILL, os.Getpid(), 0), since(6, syscall.EPERM)},
		{"another port", bound(i, 20410), since(4, syscall.EACCES)},
		{"a port of the kernel's choice", bound(i, 0), 0},
		{"a connection", connected(i, port(t, s.addr)), since(4, syscall.EACCES)},
	} {
		if c.got != c.want {
			fmt.Fprintf(&got, "%s: %v (%d), want %v\n", c.what, c.got, c.got, c.want)
		}
	}
	i.leave()
	if got.Len() > 0 {
		t.Errorf("Landlock %d\n%s", abi, &got)
	}
	s.login(t).put(t, "STOR b", strings.NewReader("it serves as before"))
	s.stop(t)
}

// bound makes a socket and binds it, and connected connects one.
func bound(i *intruder, port int) syscall.Errno     { return i.socket(unix.SYS_BIND, port) }
func connected(i *intruder, port int) syscall.Errno { return i.socket(unix.SYS_CONNECT, port) }

func (i *intruder) socket(call uint64, port int) syscall.Errno {
	i.t.Helper()
	fd, errno := i.result(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if errno != 0 {
		i.t.Fatalf("socket: %v", errno)
	}
	defer i.call(unix.SYS_CLOSE, fd)
	address := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: uint16(port>>8 | port<<8), Addr: [4]byte{127, 0, 0, 1}}
	return i.call(call, fd, (*[unsafe.Sizeof(address)]byte)(unsafe.Pointer(&address))[:], int(unsafe.Sizeof(address)))
}

func port(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	ok(t, err)
	return must(strconv.Atoi(text))(t)
}
