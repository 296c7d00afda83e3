package parity

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// listen opens a port on an address of the loopback network.
func listen(t *testing.T, ip string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(userpi.Timeout))
	return l
}

// dialFrom connects from an address of the loopback network.
func dialFrom(t *testing.T, ip, to string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: userpi.Timeout}
	c, err := d.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(userpi.Timeout))
	return c
}

// drain reads a connection to its end, or to a reset, and closes it.
func drain(c net.Conn) string {
	defer c.Close()
	data, _ := io.ReadAll(c)
	return string(data)
}
