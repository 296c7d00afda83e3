//go:build unix

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openFlags are added to every open: none of them may wait for a writer, or
// make a terminal the process's own.
const openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY

// directoryFlags open directories and nothing else.
const directoryFlags = os.O_RDONLY | syscall.O_DIRECTORY | openFlags

// setBlocking takes O_NONBLOCK off an open file.
func setBlocking(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = syscall.SetNonblock(int(fd), false) }); err != nil {
		return err
	}
	return failed
}

// infoOf describes a file of the host.
func infoOf(fi fs.FileInfo, name string) Info {
	info := Info{Name: name, Size: fi.Size(), Mode: fi.Mode(), ModTime: fi.ModTime(), Links: 1}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		info.Links = uint64(st.Nlink)
		info.UID, info.GID = st.Uid, st.Gid
		info.Dev, info.Inode = uint64(st.Dev), st.Ino
	}
	return info
}

// lockFile locks an open file for this open description alone, and reports
// false if another one holds it. The lock ends with the process.
func lockFile(f *os.File) (bool, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) {
		failed = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB)
	}); err != nil {
		return false, err
	}
	if errors.Is(failed, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return failed == nil, failed
}
