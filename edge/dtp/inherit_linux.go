package dtp

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// The keep-alives of package net, in seconds and probes.
const (
	keepIdle, keepEvery = 15, 15
	keepProbes          = 9
)

// inherit has a listening socket carry what its connections need: accepted ones have it
// from there. Package net would set four options of each, and wakeEarly one; a listener
// that serves several transfers has them set once: five system calls less for each of them.
func inherit(lc *net.ListenConfig) {
	lc.KeepAlive = -1 // not by package net
	lc.Control = func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			set := func(level, option, value int) { _ = unix.SetsockoptInt(int(fd), level, option, value) }
			set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
			set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdle)
			set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepEvery)
			set(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepProbes)
			set(unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSent)
		})
	}
}
