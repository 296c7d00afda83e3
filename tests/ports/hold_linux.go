package ports

import (
	"os"
	"syscall"
)

// hold binds a socket to a port, which then is nobody's: the option that lets a listener be
// opened over it is set afterwards, and without it bind finds every other socket in the way,
// also those that wait for their end (ip(7), SO_REUSEADDR). A UDP socket looks whether there
// is one, and is closed: listeners of UDP cannot be opened over it.
func hold(port int) (release func(), err error) {
	fd, err := bound(syscall.SOCK_STREAM, port)
	if err != nil {
		return nil, err
	}
	err = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	if err == nil { // and now nobody of ours is about to open it for UDP
		var udp int
		if udp, err = bound(syscall.SOCK_DGRAM, port); err == nil {
			err = os.NewSyscallError("close", syscall.Close(udp))
		}
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, err
	}
	return func() { _ = syscall.Close(fd) }, nil
}

// bound is a socket of that kind at a port of 127.0.0.1.
func bound(kind, port int) (fd int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		_ = syscall.Close(fd)
		return 0, os.NewSyscallError("bind", err)
	}
	return fd, nil
}
