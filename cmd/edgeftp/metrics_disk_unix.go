//go:build linux || darwin

package main

import "golang.org/x/sys/unix"

// diskRoom asks how much room there is on the disk of a directory.
func diskRoom(dir string) (room, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return room{}, err
	}
	var at unix.Stat_t
	if err := unix.Stat(dir, &at); err != nil {
		return room{}, err
	}
	size := uint64(st.Bsize)
	return room{device: uint64(at.Dev), free: uint64(st.Bavail) * size, size: uint64(st.Blocks) * size, filesFree: uint64(st.Ffree)}, nil
}
