//go:build unix

package dtp

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// discard takes what the client has sent without being asked, and waits for
// nothing: a socket that is closed with bytes unread resets the connection, and
// what the kernel had still to send is lost. A client of TLS that says goodbye
// while it receives, having nothing to send, lost the end of its file so.
func discard(conn net.Conn) {
	tcp := TCP(conn)
	if tcp == nil {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = tcp.SetReadDeadline(time.Time{})
	_ = raw.Read(func(fd uintptr) bool {
		var b [4 << 10]byte
		for range 16 {
			if n, err := unix.Read(int(fd), b[:]); n <= 0 || err != nil {
				break
			}
		}
		return true
	})
}
