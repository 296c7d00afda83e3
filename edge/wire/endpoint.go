package wire

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// The errors of the address forms.
var (
	ErrEndpointSyntax = errors.New("malformed host and port")
	ErrEndpointFamily = errors.New("network protocol not supported")
)

// ParsePort reads the argument of PORT: six decimal numbers h1,h2,h3,h4,p1,p2
// (RFC 959 §4.1.2). White space around it is allowed, since clients send it.
func ParsePort(arg string) (netip.AddrPort, error) {
	parts := strings.Split(strings.TrimSpace(arg), ",")
	if len(parts) != 6 {
		return netip.AddrPort{}, ErrEndpointSyntax
	}
	var b [6]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(strings.TrimSpace(p), 10, 8)
		if err != nil {
			return netip.AddrPort{}, ErrEndpointSyntax
		}
		b[i] = byte(n)
	}
	port := uint16(b[4])<<8 | uint16(b[5])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port), nil
}

// FormatPort writes an IPv4 address and port as PORT and the 227 reply have
// them.
func FormatPort(a netip.AddrPort) string {
	ip := a.Addr().As4()
	b := make([]byte, 0, 24)
	for _, n := range [...]byte{ip[0], ip[1], ip[2], ip[3], byte(a.Port() >> 8), byte(a.Port())} {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return string(b)
}

// ParseEPRT reads the argument of EPRT: <d>net-prt<d>net-addr<d>tcp-port<d>
// with any delimiter of the printable ASCII characters (RFC 2428 §2). A protocol
// other than 1 and 2 is ErrEndpointFamily.
func ParseEPRT(arg string) (netip.AddrPort, error) {
	arg = strings.TrimSpace(arg)
	if len(arg) < 2 || arg[0] < 33 || arg[0] > 126 || arg[len(arg)-1] != arg[0] {
		return netip.AddrPort{}, ErrEndpointSyntax
	}
	parts := strings.Split(arg[1:len(arg)-1], arg[:1])
	if len(parts) != 3 {
		return netip.AddrPort{}, ErrEndpointSyntax
	}
	family, err := ParseFamily(parts[0])
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := netip.ParseAddr(parts[1])
	if err != nil || addr.Zone() != "" || addr.Is4() != (family == 1) {
		return netip.AddrPort{}, ErrEndpointSyntax
	}
	port, err := strconv.ParseUint(parts[2], 10, 16)
	if err != nil {
		return netip.AddrPort{}, ErrEndpointSyntax
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}

// OtherFamily reports whether an argument of EPRT that cannot be read begins with
// the protocol, of IPv4 and IPv6, that is not the session's: then what follows may
// be of a form that is not known here.
func OtherFamily(arg string, v4 bool) bool {
	arg = strings.TrimSpace(arg)
	if arg == "" {
		return false
	}
	word, _, closed := strings.Cut(arg[1:], arg[:1])
	family, err := ParseFamily(word)
	return closed && err == nil && (family == 1) != v4
}

// ParseFamily reads a network protocol number as EPRT and EPSV have it (RFC 2428
// §2): 1 is IPv4, 2 is IPv6. Another number is ErrEndpointFamily, anything else
// ErrEndpointSyntax.
func ParseFamily(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, ErrEndpointSyntax
	}
	if n != 1 && n != 2 {
		return 0, ErrEndpointFamily
	}
	return int(n), nil
}
