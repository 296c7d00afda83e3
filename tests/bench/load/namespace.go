//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// insideWord is how this program starts itself within namespaces.
const insideWord = "inside"

// enclose runs this program again with network and mounts of its own: then no other
// connection takes ports, and disk/ of the tree can be bound to a disk. It is false
// where that cannot be, with the reason for people.
func enclose(ctx context.Context, args []string) (done bool, reason string, err error) {
	if os.Geteuid() != 0 {
		return false, "in the network of the machine (only root can have one of its own)", nil
	}
	self, err := os.Executable()
	if err != nil {
		return false, "", err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{insideWord}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	runtime.LockOSThread() // Pdeathsig is that of the thread that started it
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute // it has servers to stop
	if err := cmd.Start(); err != nil {
		if errors.Is(err, syscall.EPERM) {
			return false, "in the network of the machine (the kernel gives this root none of its own)", nil
		}
		return false, "", err
	}
	if cmd.Wait() != nil {
		return true, "", errInside
	}
	return true, "", nil
}

// errInside is told where the program within has said what went wrong.
var errInside = errors.New("it ended with an error")

// settleIn makes the namespaces usable: what is mounted stays here, and there is
// loopback.
func settleIn() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("bringing up loopback: %w", err)
	}
	return nil
}

// descriptors raises the limit of open files as far as it goes, for this process and
// those that it starts.
func descriptors() error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	l.Cur = l.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}
