package dtp

import (
	"net"
	"net/netip"
)

// AddrPort returns the address of one end of a TCP or UDP connection, one of IPv4 as such
// also where a socket of both families has it. Of another kind of connection, and of none,
// it is the zero value, which is not valid.
func AddrPort(a net.Addr) netip.AddrPort {
	var p netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		p = a.AddrPort()
	case *net.UDPAddr:
		p = a.AddrPort()
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
