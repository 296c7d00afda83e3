//go:build !unix

package blackbox

import (
	"errors"
	"net"
)

func sendUrgent(*net.TCPConn, string) error { return errors.ErrUnsupported }

func mknod(string, uint32, int) error { return errors.ErrUnsupported }
