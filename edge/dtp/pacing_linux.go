package dtp

import (
	"math"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// setPace has the kernel send at most rate bytes per second on a connection
// (SO_MAX_PACING_RATE), evenly; 0 is as fast as it can. TCP does that by itself, whatever
// the queue of the interface is, since the version of Linux that has TCP_ULP too.
func setPace(tcp *net.TCPConn, rate int64) bool {
	if rate <= 0 || rate >= math.MaxUint32 {
		rate = math.MaxUint32 // which stands for no limit
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		if _, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_ULP); err == nil {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, int(rate))
		}
	})
	return err == nil
}

// offer gives the kernel what it takes of the next n bytes of the file at once, and
// returns how many.
func offer(tcp *net.TCPConn, file *os.File, n int64) (sent int64) {
	to, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	from, err := file.SyscallConn()
	if err != nil {
		return 0
	}
	_ = to.Control(func(out uintptr) {
		_ = from.Control(func(in uintptr) {
			k, _ := unix.Sendfile(int(out), int(in), nil, int(n))
			sent = int64(max(0, k))
		})
	})
	return sent
}
