package namespaces

import (
	"bytes"
	"context"
	_ "embed" // for the script
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed machine.sh
var script string

// insideVariable says to a test that it runs on the machine.
const insideVariable = "EDGEFTP_TEST_MACHINE"

// machineLimit bounds the time of a machine, from its start to its end.
const machineLimit = 10 * time.Minute

// endsWithin is how long a machine that has to end may take.
const endsWithin = 20 * time.Second

// Machine runs the whole test on a machine of its own, and reports whether this is that
// run: a test begins with "if !namespaces.Machine(t, ...) { return }". There systemd is the
// first process, the network is empty but for loopback, and the file system is a copy, except for
// the directories, with the test's program and the directory it runs in, which are the
// same as outside. What is not seen of this system's services is not there.
func Machine(t *testing.T, directories ...string) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return true
	}
	Need(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	scratch, shared := t.TempDir(), t.TempDir()
	said := filepath.Join(shared, "said")
	unit := service(self, t.Name(), here, said)
	if err := os.WriteFile(filepath.Join(scratch, "test.service"), []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), machineLimit)
	defer cancel()
	words := slices.Concat([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh", scratch, shared, filepath.Dir(self), here}, directories)
	cmd := exec.CommandContext(ctx, "unshare", words...)
	runtime.LockOSThread() // Pdeathsig is that of the thread that started it
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = endsWithin
	manager, err := cmd.CombinedOutput()
	told, _ := os.ReadFile(said) // a machine that did not start says nothing
	if err != nil || !bytes.Contains(told, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("%v\n%s\n%s", err, manager, told)
	}
	t.Logf("on a machine of its own:\n%s", told)
	return false
}

// service is the unit that runs one test, whose end is that of the machine.
func service(self, test, dir, said string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nWants=multi-user.target\nSuccessAction=exit-force\nFailureAction=exit-force\n[Service]\nType=oneshot\n"+
		"WorkingDirectory=%s\nStandardOutput=append:%s\nStandardError=inherit\nExecStart=%s\n", dir, said,
		strings.Join([]string{self, "-test.run=^" + test + "$$", "-test.v", "-test.count=1"}, " "))
	for _, v := range append(os.Environ(), insideVariable+"=1") {
		if !strings.ContainsAny(v, "\n\r") {
			fmt.Fprintf(&b, "Environment=\"%s\"\n", strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(v))
		}
	}
	return b.String()
}
