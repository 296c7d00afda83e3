//go:build unix

package peers

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes a command the head of a session and so of a process group, so that
// what it starts can be ended with it and be told from what others start. With drop root starts it as the servers' user.
func ownGroup(cmd *exec.Cmd, drop bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if drop && os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
}

// endGroup ends the group of a process that was started here.
func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// end ends one process that came from one that was started here.
func end(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

// ask asks a process to end.
func ask(pid int) { _ = syscall.Kill(pid, syscall.SIGTERM) }
