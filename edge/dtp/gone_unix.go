//go:build unix

package dtp

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Gone reports whether the other end of a TCP connection has ended or reset it, also
// behind bytes that nobody has read. Of another connection it is false, and outside
// of Linux of one of which only the other end's half is closed.
func Gone(conn net.Conn) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		set := []unix.PollFd{{Fd: int32(fd), Events: hangUp}}
		n, err := unix.Poll(set, 0)
		gone = err == nil && n == 1 && set[0].Revents&(hangUp|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}
