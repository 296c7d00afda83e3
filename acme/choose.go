package acme

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"strings"
)

// index finds the certificate for a name. It is never changed.
type index struct {
	all  []*tls.Certificate            // as configured, at least one
	dns  map[string][]*tls.Certificate // lower case; "*.example.org" as it is
	addr map[netip.Addr][]*tls.Certificate
}

func newIndex(all []*tls.Certificate) *index {
	x := &index{all: all, dns: map[string][]*tls.Certificate{}, addr: map[netip.Addr][]*tls.Certificate{}}
	for _, c := range all {
		for _, name := range hostNames(c.Leaf) {
			x.dns[name] = append(x.dns[name], c)
		}
		for _, ip := range c.Leaf.IPAddresses {
			if a, ok := netip.AddrFromSlice(ip); ok {
				x.addr[a.Unmap()] = append(x.addr[a.Unmap()], c)
			}
		}
	}
	return x
}

// choose returns the certificate for a handshake: that of the exact name, then
// that of its wildcard; for a client that names no server, that of the address
// it came to; else that of choice, or the first. Of several, such as RSA beside
// ECDSA, it is the first that the client can use.
func (x *index) choose(hello *tls.ClientHelloInfo, choice Choice) *tls.Certificate {
	some := x.find(hello)
	if len(some) == 0 {
		other := choice.Fallback
		if serverName(hello) == "" {
			other = choice.Default
		}
		some = x.named(other)
	}
	if len(some) == 0 {
		some = x.all
	}
	for _, c := range some {
		if hello.SupportsCertificate(c) == nil {
			return c
		}
	}
	return some[0]
}

func (x *index) find(hello *tls.ClientHelloInfo) []*tls.Certificate {
	if name := serverName(hello); name != "" {
		return x.named(name)
	}
	return x.named(address(hello))
}

// named are the certificates of a name, or of an address in its plain form.
func (x *index) named(name string) []*tls.Certificate {
	if ip, err := netip.ParseAddr(name); err == nil {
		return x.addr[ip]
	}
	if some := x.dns[name]; len(some) > 0 {
		return some
	}
	return x.dns[wildcard(name)]
}

// serverName is the name that the client asks for, or nothing. An address is no
// name (RFC 6066 §3), but some clients send one.
func serverName(hello *tls.ClientHelloInfo) string {
	if _, err := netip.ParseAddr(hello.ServerName); err == nil {
		return ""
	}
	return plainName(hello.ServerName)
}

func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// wildcard is the name with its first label replaced (RFC 6125 §6.4.3).
func wildcard(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return "*." + rest
}

// hostNames are the DNS names of a certificate. Where there is no SAN extension
// at all, the common name counts: clients may not take it, but it was meant.
func hostNames(leaf *x509.Certificate) (names []string) {
	for _, name := range leaf.DNSNames {
		names = append(names, plainName(name))
	}
	if nameless(leaf) && leaf.Subject.CommonName != "" {
		names = append(names, plainName(leaf.Subject.CommonName))
	}
	return names
}

func nameless(leaf *x509.Certificate) bool {
	return len(leaf.DNSNames)+len(leaf.IPAddresses) == 0
}

// StrictSNI makes config refuse a client that asks for a server name which the
// certificate chosen for it does not hold, with the alert unrecognized_name (RFC
// 6066 §3), so that nobody's connection to another server can be led to this one
// (ALPACA). A client that names no server, or an address, is served.
//
// crypto/tls reports such a handshake as one without certificates; refused is
// told the name, in the goroutine of the handshake, and may be nil. It is the
// client's: up to 255 bytes of anything.
func StrictSNI(config *tls.Config, refused func(name string)) {
	choose, fixed := config.GetCertificate, config.Certificates
	config.Certificates = nil // or crypto/tls would fall back to them
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (cert *tls.Certificate, err error) {
		if choose != nil {
			cert, err = choose(hello)
		}
		if cert == nil && err == nil && len(fixed) > 0 {
			cert = pick(hello, fixed)
		}
		if cert == nil || err != nil || named(cert, serverName(hello)) {
			return cert, err
		}
		if refused != nil {
			refused(hello.ServerName[:min(len(hello.ServerName), 255)])
		}
		return nil, nil
	}
}

// pick does what crypto/tls does with Certificates.
func pick(hello *tls.ClientHelloInfo, certs []tls.Certificate) *tls.Certificate {
	for i := range certs {
		if hello.SupportsCertificate(&certs[i]) == nil {
			return &certs[i]
		}
	}
	return &certs[0]
}

// named reports whether cert holds name. No name is held by all.
func named(cert *tls.Certificate, name string) bool {
	if name == "" {
		return true
	}
	leaf := cert.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return false
		}
	}
	for _, have := range hostNames(leaf) {
		if have == name || have == wildcard(name) {
			return true
		}
	}
	return false
}
