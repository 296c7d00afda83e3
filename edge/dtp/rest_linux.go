package dtp

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

var errWaiting = errors.New("somebody else has connected")

// rest makes a listening socket stop to listen (shutdown(2) of one). It fails if a connection waits to be accepted.
func (k *socket) rest() error {
	return withSocket(k.TCPListener, func(fd int) error {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(set, 0); err != nil || n > 0 {
			return errors.Join(err, errWaiting)
		}
		return unix.Shutdown(fd, unix.SHUT_RDWR)
	})
}

// wake makes it listen again. A port that the kernel chose was given back meanwhile, and
// another one is chosen in its place; one that was bound may be somebody else's now.
func (k *socket) wake() error {
	backlog := k.conf.Backlog
	if backlog <= 0 {
		backlog = unix.SOMAXCONN // the kernel has its own limit (net.core.somaxconn)
	}
	return withSocket(k.TCPListener, func(fd int) error {
		if err := unix.Listen(fd, backlog); err != nil || k.fixed {
			return err
		}
		return k.ask(fd)
	})
}

// ask asks which port it is.
func (k *socket) ask(fd int) error {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	port := uint16(0)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		port = uint16(sa.Port)
	case *unix.SockaddrInet6:
		port = uint16(sa.Port)
	}
	k.addr = netip.AddrPortFrom(k.addr.Addr(), port)
	return nil
}

func withSocket(l *net.TCPListener, do func(fd int) error) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return err
	}
	return inner
}
