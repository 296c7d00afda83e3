//go:build unix

package blackbox

import (
	"errors"
	"net"
	"syscall"
)

// sendUrgent sends bytes of which the last one is TCP urgent data.
func sendUrgent(conn *net.TCPConn, text string) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) { sent = syscall.Sendto(int(fd), []byte(text), syscall.MSG_OOB, nil) })
	return errors.Join(err, sent)
}

// mknod makes a FIFO or a device.
func mknod(path string, mode uint32, device int) error { return syscall.Mknod(path, mode, device) }
