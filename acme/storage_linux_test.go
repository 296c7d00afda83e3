package acme

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/namespaces"
)

// A real disk becomes full under a server: a tmpfs of 96 KiB, in a mount namespace of a
// process of its own.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv("EDGEFTP_FULL_DISK"); dir != "" {
		fullDisk(t, dir)
		return
	}
	namespaces.Need(t)
	dir := t.TempDir()
	const mount = `mount -t tmpfs -o size=96k,mode=700 tmpfs "$EDGEFTP_FULL_DISK" && exec "$0" "$@"`
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	env := append(os.Environ(), "EDGEFTP_FULL_DISK="+dir)
	cmd := exec.CommandContext(ctx, "unshare", "-m", "sh", "-c", mount, os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func fullDisk(t *testing.T, dir string) {
	is := &signer{ca: newTestCA(t, newKey(t))}
	open := func() *bench {
		s, err := OpenStorage(filepath.Join(dir, "certificates"))
		must(t, err)
		return newBench(t, s, is, nil)
	}
	b := open()
	must(t, b.Start(t.Context()))
	old := b.serial(t, is.ca)
	// Fill it, and give back a page: the check of 32 KiB needs more.
	f, err := os.Create(filepath.Join(dir, "ballast"))
	must(t, err)
	page := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	size, err := f.Seek(0, 1)
	must(t, err)
	for free := int64(0); free <= 8; free++ { // pages
		must(t, f.Truncate(size-free*4096))
		err := b.Renew(t.Context(), stored)
		says(t, err, "no space left on device")
		if got := b.serial(t, is.ca); got != old {
			t.Errorf("%s is served", got)
		}
	}
	if is.issued.Load() != 1 {
		t.Errorf("%d orders", is.issued.Load())
	}
	t.Logf("Renew: %v", b.Renew(t.Context(), stored))
	log, events := b.told()
	if len(events) != 11 || !errors.Is(events[1].Err, syscall.ENOSPC) {
		t.Errorf("events: %v; log: %s", events, log)
	}
	b.Close()
	next := open()
	must(t, next.Start(t.Context()))
	if got := next.serial(t, is.ca); got != old {
		t.Errorf("after a start %s is served", got)
	}
	must(t, f.Truncate(0))
	must(t, next.Renew(t.Context(), stored))
	if got := next.serial(t, is.ca); got == old {
		t.Error("it was not renewed")
	}
	must(t, f.Close())
}
