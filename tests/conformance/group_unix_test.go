//go:build unix

package conformance

import (
	"os/exec"
	"syscall"
)

// ownGroup makes a command the head of a process group, so that what it starts can
// be ended with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// endGroup ends the group of a process that this test has started.
func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
