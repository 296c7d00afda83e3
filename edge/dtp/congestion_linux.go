package dtp

import (
	"net"
	"strings"

	"golang.org/x/sys/unix"
)

// paced reports whether the kernel keeps a clock for what is sent on a connection:
// each version of BBR does, and no other congestion control.
func paced(tcp *net.TCPConn) (yes bool) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		name, err := unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
		yes = err == nil && strings.HasPrefix(name, "bbr")
	})
	return yes
}
