package acme

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// subjects are the names of one certificate, as its SAN extension holds them
// (RFC 5280 §4.2.1.6).
type subjects struct {
	dns []string
	ips []net.IP
}

// host is what subjects asks the machine for. Tests replace it.
type host struct {
	addrs func() ([]net.Addr, error)
	name  func() (string, error)
}

func thisHost() host { return host{addrs: net.InterfaceAddrs, name: os.Hostname} }

// expand turns names and listen addresses into subjects, each once and in the
// given order. An unspecified address stands for every address and name of this
// machine, a loopback address also for "localhost".
func (h host) expand(names []string) (subjects, error) {
	var s subjects
	for _, name := range names {
		ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
		switch {
		case err == nil && ip.IsUnspecified():
			h.everything(&s)
		case err == nil:
			s.addIP(ip)
		case validHost(name):
			s.addDNS(name)
		default:
			return subjects{}, fmt.Errorf("%q is neither an IP address nor a DNS name that a certificate can hold", name)
		}
	}
	if len(s.dns)+len(s.ips) == 0 {
		return subjects{}, fmt.Errorf("a certificate needs at least one name or address")
	}
	return s, nil
}

// everything adds all addresses of this machine. What cannot be found out is
// left out: a certificate for fewer names is better than none.
func (h host) everything(s *subjects) {
	s.addDNS("localhost")
	if name, err := h.name(); err == nil && validHost(name) {
		s.addDNS(name)
	}
	addrs, _ := h.addrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			s.addIP(p.Addr())
		}
	}
	s.addIP(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	s.addIP(netip.IPv6Loopback())
}

func (s *subjects) addIP(ip netip.Addr) {
	ip = ip.Unmap().WithZone("")
	std := net.IP(ip.AsSlice())
	if !slices.ContainsFunc(s.ips, std.Equal) {
		s.ips = append(s.ips, std)
	}
	if ip.IsLoopback() {
		s.addDNS("localhost")
	}
}

func (s *subjects) addDNS(name string) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !slices.Contains(s.dns, name) {
		s.dns = append(s.dns, name)
	}
}

// validHost reports whether name is a host name in the preferred form (RFC 1034
// §3.5), a trailing dot and underscores allowed.
func validHost(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}

// Subject returns the one form of what a certificate can be asked for: a host name in
// lower case and ASCII (RFC 5890), a wildcard of one label (*.example.org), or an IP
// address. The error says what it is instead.
func Subject(name string) (string, error) {
	if len(name) > 1000 { // bytes in any script; what becomes of it has 253 at most
		return "", fmt.Errorf("%.50q... is longer than any name that a certificate can hold", name)
	}
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		if ip.IsUnspecified() || ip.Zone() != "" {
			return "", fmt.Errorf("%q stands for no single address that a certificate can hold", name)
		}
		return ip.Unmap().String(), nil
	}
	star, rest := "", name
	if after, ok := strings.CutPrefix(name, "*."); ok {
		star, rest = "*.", after
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(rest, "."))
	if err != nil || !validHost(ascii) || strings.Contains(ascii, "_") {
		return "", fmt.Errorf("%q is neither an IP address nor a DNS name that a certificate can hold", name)
	}
	return star + strings.ToLower(ascii), nil
}
