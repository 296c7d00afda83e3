package vfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// childVariable makes the test binary another process that does what it names;
// what it works on follows as arguments.
const childVariable = "EDGEFTP_VFS_TEST_CHILD"

// childMain is that process. It never returns to the tests.
func childMain() {
	run := map[string]func(args []string) error{"uploads": childUploads, "append": childAppend}[os.Getenv(childVariable)]
	if run == nil {
		run = linuxChildren()[os.Getenv(childVariable)]
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child prepares to run this binary as another process.
func child(t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), childVariable+"="+what)
	cmd.Stderr = os.Stderr
	return cmd
}

// configOf is the configuration of the Disk that newDisk makes.
func configOf(d linkedDisk) vfs.DiskConfig {
	return vfs.DiskConfig{Root: d.host, State: stateOf(d)}
}
