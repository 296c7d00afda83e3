package vfs_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Whoever loses a stage, as a session does that panics, keeps no descriptor for ever.
func TestLostStage(t *testing.T) {
	d := newDisk(t, func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityNone })
	made(t, d.host, "deep/down/file")
	before := descriptors(t)
	for range 20 {
		if _, err := d.Stage("/deep/down/new", vfs.StageOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if held := descriptors(t) - before; held < 40 {
		t.Fatalf("20 stages hold %d descriptors: the test has gone blind", held)
	}
	for end := time.Now().Add(10 * time.Second); descriptors(t) > before; runtime.GC() {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are left of stages that were lost", descriptors(t)-before)
		}
	}
}

// descriptors is how many this process has.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
