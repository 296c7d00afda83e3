package dtp

import (
	"net"

	"golang.org/x/sys/unix"
)

// setBacklog changes how many connections may wait to be accepted. Package net
// takes the system's limit always; a second listen(2) replaces it.
func setBacklog(l *net.TCPListener, n int) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var lerr error
	if err := raw.Control(func(fd uintptr) { lerr = unix.Listen(int(fd), n) }); err != nil {
		return err
	}
	return lerr
}
