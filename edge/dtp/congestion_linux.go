package dtp

import (
	"net"
	"strings"
)

// paced reports whether the kernel keeps a clock for what is sent on a connection:
// each version of BBR does, and no other congestion control.
func paced(tcp *net.TCPConn) bool {
	return strings.HasPrefix(CongestionOf(tcp), "bbr")
}
