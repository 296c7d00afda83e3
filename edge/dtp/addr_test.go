package dtp

import (
	"net"
	"testing"
)

// Sockets of both families have IPv4 addresses as they are; other connections have none.
func TestAddrPort(t *testing.T) {
	for want, a := range map[string]net.Addr{
		"192.0.2.1:21":       &net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 21},
		"[2001:db8::1]:990":  &net.UDPAddr{IP: net.ParseIP("2001:db8::1"), Port: 990},
		"[fe80::1%eth0]:990": &net.UDPAddr{IP: net.ParseIP("fe80::1"), Port: 990, Zone: "eth0"},
	} {
		if got := AddrPort(a).String(); got != want {
			t.Errorf("%v is %s, want %s", a, got, want)
		}
	}
	for _, a := range []net.Addr{nil, &net.UnixAddr{Name: "/s", Net: "unix"}, new(net.TCPAddr)} {
		if got := AddrPort(a); got.IsValid() {
			t.Errorf("%v is %v", a, got)
		}
	}
}
