//go:build !linux

package ports

import (
	"net"
	"strconv"
)

// hold looks whether a port is free. Other systems have no way to keep it for a listener.
func hold(port int) (release func(), err error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	return func() {}, l.Close()
}
