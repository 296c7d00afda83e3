package outbound

import "net/netip"

// Public reports whether an address is one of the Internet: none of the special
// ones of RFC 6890, and none that a translator leads to one of those.
func Public(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsValid() || !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Zone() != "" {
		return false
	}
	for _, special := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		if netip.MustParsePrefix(special).Contains(addr) {
			return false
		}
	}
	if to, ok := translated(addr); ok {
		return Public(to)
	}
	return true
}

// Reachable reports whether an address can be another machine's, or this one's, by way of
// routing: it is no multicast, none of the link (where the metadata services of clouds
// are), and none that says nothing, also behind a translator.
func Reachable(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsValid() || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLinkLocalUnicast() {
		return false
	}
	if addr.Is4() && (addr.As4()[0] == 0 || addr.As4()[0] >= 240) {
		return false
	}
	if to, ok := translated(addr); ok {
		return Reachable(to)
	}
	return true
}

// translated is the IPv4 address that a translator leads to (RFC 6052 §2.1, RFC 3056 §2).
func translated(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}
