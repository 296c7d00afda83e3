package drop

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// asStranger runs do without the right to read the file at path.
func asStranger(t *testing.T, path string, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		do()
		if err := os.Chmod(path, info.Mode()); err != nil {
			t.Fatal(err)
		}
		return
	}
	// Root may read everything; a thread can leave that right aside for files.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setfsuid(0); err != nil {
			t.Error(err)
		}
	}()
	do()
}
