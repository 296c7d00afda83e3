//go:build unix

package conformance

import (
	"errors"
	"net"
	"syscall"
)

// urgent sends bytes of which the last one is urgent data, as clients do with
// the Telnet synch before ABOR (RFC 959 §4.1.3, RFC 854).
func urgent(conn net.Conn, text string) error {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return errors.New("the connection has no urgent data")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Write(func(fd uintptr) bool {
		failed = syscall.Sendto(int(fd), []byte(text), syscall.MSG_OOB, nil)
		return !errors.Is(failed, syscall.EAGAIN)
	}); err != nil {
		return err
	}
	return failed
}
