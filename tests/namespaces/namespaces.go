// Package namespaces gives tests what only namespaces of Linux give: mounts that nobody
// else sees, and a machine of their own with a real service manager.
package namespaces

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// ForbiddenVariable says, if it is set, that this system lets nobody make namespaces, as
// many containers do not: tests that need them are skipped then, also with CI=true.
const ForbiddenVariable = "EDGEFTP_NO_NAMESPACES"

// Need skips a test where [Have] says no.
func Need(t testing.TB) {
	t.Helper()
	if !Have(t) {
		t.SkipNow()
	}
}

// Have reports whether this process may make a mount namespace, and logs why not. With
// CI=true the test fails there, unless [ForbiddenVariable] is set: a check that nobody misses
// is none.
func Have(t testing.TB) bool {
	t.Helper()
	err := mounts()
	if err != nil && os.Getenv("CI") == "true" && os.Getenv(ForbiddenVariable) == "" {
		t.Fatalf("%v; CI=true asks for every check, and %s=1 says that this system cannot have this one", err, ForbiddenVariable)
	}
	if err != nil {
		t.Log(err)
	}
	return err == nil
}

// mounts tries whether a file system can be mounted for one process alone.
func mounts() error {
	unshare, err := exec.LookPath("unshare")
	if err == nil && os.Getuid() != 0 {
		err = errors.New("this is not root")
	}
	if err != nil {
		return fmt.Errorf("no mount namespace can be made: %w", err)
	}
	if out, err := exec.Command(unshare, "--mount", "mount", "-t", "tmpfs", "tmpfs", os.TempDir()).CombinedOutput(); err != nil {
		return fmt.Errorf("no mount namespace can be made, for which CAP_SYS_ADMIN is needed: %w: %s", err, out)
	}
	return nil
}
