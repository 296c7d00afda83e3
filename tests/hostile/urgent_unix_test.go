//go:build unix

package hostile

import (
	"errors"
	"net"
	"syscall"
)

// sendUrgent sends bytes of which the last one is TCP urgent data.
func sendUrgent(conn net.Conn, text string) error {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) { sent = syscall.Sendto(int(fd), []byte(text), syscall.MSG_OOB, nil) })
	return errors.Join(err, sent)
}
