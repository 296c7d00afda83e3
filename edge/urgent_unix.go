//go:build unix

package edge

import (
	"net"
	"syscall"
)

// inlineUrgent keeps urgent bytes in their place in the stream: clients send
// ABOR, or a part of it, as urgent data (RFC 959 §4.1.3), and the byte that is
// urgent would otherwise be lost.
func inlineUrgent(conn net.Conn) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := sc.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
		})
	}
}
