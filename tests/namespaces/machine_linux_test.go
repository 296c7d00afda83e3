package namespaces_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/tests/namespaces"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A machine has a service manager and a network of its own. What is written there is seen
// outside where it was to be and nowhere else, and nothing of it is left.
func TestMachine(t *testing.T) {
	const kept = "NAMESPACES_TEST_KEPT" // names a directory that is the same on both sides
	dir := os.Getenv(kept)
	if dir == "" {
		dir = t.TempDir()
		t.Setenv(kept, dir)
	}
	elsewhere := filepath.Join("/etc", filepath.Base(filepath.Dir(dir)))
	if !namespaces.Machine(t, dir) {
		if text, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(text) != "written there" {
			t.Errorf("%q, %v", text, err)
		}
		if _, err := os.Stat(elsewhere); err == nil {
			t.Errorf("%s is here, too", elsewhere)
		}
		return
	}
	if name, err := os.ReadFile("/proc/1/comm"); err != nil || string(name) != "systemd\n" {
		t.Errorf("the first process is %q, %v", name, err)
	}
	if all, err := net.Interfaces(); err != nil || len(all) != 1 || all[0].Flags&net.FlagLoopback == 0 || all[0].Flags&net.FlagUp == 0 {
		t.Errorf("the network has %v, %v", all, err)
	}
	if _, err := os.OpenFile("/proc/sys/kernel/pid_max", os.O_WRONLY, 0); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a setting of the kernel can be written: %v", err)
	}
	for _, path := range []string{filepath.Join(dir, "file"), elsewhere} {
		if err := os.WriteFile(path, []byte("written there"), 0o644); err != nil {
			t.Error(err)
		}
	}
}
