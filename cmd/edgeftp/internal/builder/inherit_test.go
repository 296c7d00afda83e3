//go:build unix

package builder

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// inheritable makes a file one that a service manager would pass on.
func inheritable(t *testing.T, f *os.File) {
	t.Helper()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
}
