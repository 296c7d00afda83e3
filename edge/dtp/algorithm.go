package dtp

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// ErrCongestion says that a congestion control cannot be had: the kernel does not know it,
// or lets root alone have it.
var ErrCongestion = errors.New("that congestion control cannot be had")

// Algorithms are congestion controls of TCP.
type Algorithms struct {
	Known []string // what the kernel has
	Free  []string // those of them that a process may choose without being root
}

// ReadAlgorithms asks the kernel which there are; none outside of Linux.
func ReadAlgorithms() (a Algorithms) {
	a.Known, a.Free = knownAlgorithms(), freeAlgorithms()
	return a
}

// String lists what the kernel has.
func (a Algorithms) String() string {
	if len(a.Known) == 0 {
		return "none that can be chosen"
	}
	return strings.Join(a.Known, ", ")
}

// SetCongestion chooses the congestion control of a TCP socket, such as "bbr". What a
// listening socket accepts from then on has it as well. The error is ErrCongestion where it
// cannot be had.
func SetCongestion(socket syscall.Conn, name string) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	set := error(nil)
	if err = raw.Control(func(fd uintptr) { set = setCongestion(fd, name) }); err == nil {
		err = set
	}
	if err != nil {
		err = fmt.Errorf("%w: %s: %w", ErrCongestion, name, err)
	}
	return err
}

// CongestionOf returns the congestion control of a TCP socket; empty where that is not known.
func CongestionOf(socket syscall.Conn) (name string) {
	if raw, err := socket.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { name = congestionOf(fd) })
	}
	return name
}

// congested returns what gives a socket a congestion control before it is connected; nil
// for the kernel's choice.
func congested(name string) func(network, address string, c syscall.RawConn) error {
	if name == "" {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		set := error(nil)
		err := c.Control(func(fd uintptr) { set = setCongestion(fd, name) })
		if err = errors.Join(err, set); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrCongestion, name, err)
		}
		return nil
	}
}
