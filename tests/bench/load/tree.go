//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/tests/peers"
)

// What the served tree holds.
const (
	bigSize    = 256 << 20
	smallSize  = 4096
	smallFiles = 1000
)

// grow makes the tree: in memory where there is a place for that, but for disk/, which
// is on a disk if it may be mounted there.
func (p *plan) grow(f *field, mounted bool) error {
	parent := f.ground.Dir
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		parent = "/dev/shm"
	}
	var err error
	if f.root, err = f.directory(parent); err != nil {
		return err
	}
	if err := f.plant(p.huge); err != nil {
		return err
	}
	if f.src, err = os.Open(f.in("pub", "big")); err != nil {
		return err
	}
	real, err := onDisk(p.disk)
	if err != nil || !real || !mounted {
		return err
	}
	disk, err := f.directory(p.disk)
	if err != nil {
		return err
	}
	if err := peers.Lend(disk); err != nil {
		return err
	}
	if err := unix.Mount(disk, f.in("disk"), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount --bind %s %s: %w", disk, f.in("disk"), err)
	}
	f.undo = append(f.undo, func() error { return unix.Unmount(f.in("disk"), unix.MNT_DETACH) })
	f.diskAt = disk
	return nil
}

// directory makes one that goes with the field.
func (f *field) directory(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "edgeftp-load")
	if err != nil {
		return "", err
	}
	f.undo = append(f.undo, func() error { return os.RemoveAll(dir) })
	return dir, os.Chmod(dir, 0o755)
}

// onDisk reports whether a directory is on something other than memory.
func onDisk(dir string) (bool, error) {
	const tmpfs, ramfs = 0x01021994, 0x858458f6
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false, fmt.Errorf("-disk: %w", err)
	}
	kind := uint32(st.Type)
	return kind != tmpfs && kind != ramfs, nil
}

// in is the real path of something in the tree.
func (f *field) in(elements ...string) string {
	return filepath.Join(append([]string{f.root}, elements...)...)
}

// plant fills the tree, but for what is there already: pub is read, up and disk are
// written, in is what the path policy of the chain looks after. The largest directory
// has so many files.
func (f *field) plant(huge int) error {
	for _, dir := range []string{"", "pub/small", "pub/d10k", "pub/d100k", "up", "disk", "in"} {
		if err := os.MkdirAll(f.in(dir), 0o755); err != nil {
			return err
		}
	}
	for _, dir := range []string{"up", "disk", "in"} {
		if err := peers.Lend(f.in(dir)); err != nil {
			return err
		}
	}
	for name, size := range map[string]int64{"pub/big": bigSize, "pub/m10": 10 << 20, "pub/m4": 4 << 20} {
		if err := f.file(name, size); err != nil {
			return err
		}
	}
	for i := range smallFiles {
		if err := f.file(fmt.Sprintf("pub/small/f%04d", i), smallSize); err != nil {
			return err
		}
	}
	for dir, n := range map[string]int{"d10k": 10000, "d100k": huge} {
		if entries, err := os.ReadDir(f.in("pub", dir)); err == nil && len(entries) == n {
			continue
		}
		for i := range n {
			if err := f.file(fmt.Sprintf("pub/%s/file-%06d.dat", dir, i), int64(i%3)); err != nil {
				return err
			}
		}
	}
	return nil
}

// file makes one that holds the pattern again and again.
func (f *field) file(name string, size int64) error {
	path := f.in(name)
	if st, err := os.Stat(path); err == nil && st.Size() == size {
		return nil
	}
	w, err := os.Create(path)
	if err != nil {
		return err
	}
	defer w.Close()
	pattern := f.kit.Pattern()
	for left := size; left > 0; {
		n, err := w.Write(pattern[:min(left, int64(len(pattern)))])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return w.Close()
}
