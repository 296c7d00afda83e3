package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// knownAuthority is an authority that the file may name without its URL.
type knownAuthority struct {
	name      string
	directory string
	staging   string // its test directory, or empty
	test      bool   // no client trusts what it issues
	binding   bool   // it wants an external account
	addresses bool   // it issues for IP addresses
}

// knownAuthorities are public ones.
func knownAuthorities() []knownAuthority {
	const (
		letsencryptTest = "https://acme-staging-v02.api.letsencrypt.org/directory"
		googleTest      = "https://dv.acme-v02.test-api.pki.goog/directory"
	)
	return []knownAuthority{
		{name: "letsencrypt", directory: "https://acme-v02.api.letsencrypt.org/directory", staging: letsencryptTest, addresses: true},
		{name: "letsencrypt-staging", directory: letsencryptTest, test: true, addresses: true},
		{name: "google", directory: "https://dv.acme-v02.api.pki.goog/directory", staging: googleTest, binding: true, addresses: true},
		{name: "google-staging", directory: googleTest, test: true, binding: true, addresses: true},
		{name: "zerossl", directory: "https://acme.zerossl.com/v2/DV90", binding: true},
	}
}

// authorityOf returns what is known of the authority with this directory; the zero value,
// without a name, if nothing is.
func authorityOf(directory string) knownAuthority {
	for _, a := range knownAuthorities() {
		if a.directory == directory {
			return a
		}
	}
	return knownAuthority{}
}

// authorityName is how people call the authority with this directory.
func authorityName(directory string) string {
	if name := authorityOf(directory).name; name != "" {
		return name
	}
	return directory
}

// isPublic reports whether an authority is one whose certificates everybody's clients
// trust (or its test), and which therefore issues for public names alone.
func isPublic(directory string) bool {
	u, err := url.Parse(directory)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	for _, domain := range []string{"letsencrypt.org", "pki.goog", "zerossl.com", "buypass.com", "buypass.no", "ssl.com", "sectigo.com", "digicert.com", "globalsign.com", "entrust.net", "actalis.it", "certum.pl", "harica.gr"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

// notPublic says why no public authority issues a certificate for a name in
// acme.Subject's form, in words that follow the quoted name; nil if one may.
func notPublic(name string) error {
	const own = "name what clients reach from outside, use an authority of your own (ca: URL), or certificate: dev"
	if ip, err := netip.ParseAddr(name); err == nil {
		if what := special(ip); what != "" {
			return fault{fmt.Sprintf("is %s, for which no public authority issues certificates", what), own}
		}
		return nil
	}
	host := strings.TrimPrefix(name, "*.")
	top := host[strings.LastIndexByte(host, '.')+1:]
	suffix, listed := publicsuffix.PublicSuffix(host)
	switch {
	case host == "localhost":
		return fault{"is this machine for every client, so no public authority issues certificates for it", own}
	case listed && suffix == host && top != "onion":
		return fault{"is what names are registered under, not a name of yours", "name a host of your own domain"}
	case !strings.Contains(host, "."):
		return fault{"is a single label, for which no public authority issues certificates", own}
	case top == "onion":
		return fault{"is a name of Tor (RFC 7686), for which the known authorities issue no certificates by ACME", own}
	case reserved(top) || host == "home.arpa" || strings.HasSuffix(host, ".home.arpa"):
		return fault{fmt.Sprintf("ends in .%s, which is not in the public DNS, so no public authority issues certificates for it", top), own}
	}
	return nil
}

// reserved reports whether a top-level domain is never delegated in the public DNS:
// RFC 2606 §2, RFC 6761, RFC 6762 appendix G, RFC 9476, and ICANN's own word on
// internal.
func reserved(top string) bool {
	switch top {
	case "localhost", "local", "internal", "test", "example", "invalid", "alt",
		"intranet", "private", "corp", "home", "lan", "localdomain":
		return true
	}
	return false
}

// special says what an address is that is not one of the public Internet (RFC 6890 and
// the registries that it made), or nothing.
func special(ip netip.Addr) string {
	for _, block := range []struct{ what, networks string }{
		{"a loopback address", "127.0.0.0/8 ::1/128"},
		{"a private address", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"},
		{"a link-local address", "169.254.0.0/16 fe80::/10"},
		{"an address behind a carrier's NAT (RFC 6598)", "100.64.0.0/10"},
		{"an address for documentation", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"},
		{"an address for tests (RFC 2544, RFC 5180)", "198.18.0.0/15 2001:2::/48"},
		{"a multicast address", "224.0.0.0/4 ff00::/8"},
		{"no address of a host", "0.0.0.0/8 192.0.0.0/24 240.0.0.0/4 ::/128 100::/64 5f00::/16 64:ff9b:1::/48"},
	} {
		for network := range strings.FieldsSeq(block.networks) {
			if p, err := netip.ParsePrefix(network); err == nil && p.Contains(ip) {
				return block.what
			}
		}
	}
	return ""
}

// tooWide reports whether the names one label below host are not one operator's, but
// anybody's.
func tooWide(host string, public bool) bool {
	suffix, listed := publicsuffix.PublicSuffix(host)
	return suffix == host && (listed || public || strings.Contains(suffix, "."))
}
