//go:build unix

package builder

import (
	"os"
	"os/exec"
	"syscall"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
	"golang.org/x/sys/unix"
)

// niceness is how much a build yields to those who are served.
const niceness = 10

// alone makes the process the first of a group of its own, which ends as a whole, and
// one of that user, nil for the same.
func alone(cmd *exec.Cmd, as *identity.User) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: as.UID, Gid: as.GID, Groups: as.Groups}
	}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
}

// endGroup ends this process and, if it is the first of a group, all of that.
func endGroup() {
	if pid := os.Getpid(); unix.Getpgrp() == pid {
		_ = unix.Kill(-pid, unix.SIGKILL)
	}
	os.Exit(1)
}

// lower gives this process's group a lower priority.
func lower() {
	if unix.Getpgrp() == os.Getpid() {
		_ = unix.Setpriority(unix.PRIO_PGRP, 0, niceness) // it is only more polite
	}
}
