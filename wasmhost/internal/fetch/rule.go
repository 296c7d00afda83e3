package fetch

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// rule is one entry of the list of origins (RFC 6454 §4): scheme, host and port.
type rule struct {
	scheme  string     // "https" or "http"
	host    string     // lower case; with any, the part behind "*."
	any     bool       // all names below host, not host itself
	addr    netip.Addr // valid for an address literal
	port    uint16
	private bool // may lead into the server's own network
}

// parseRule reads "https://api.example.com", "api.example.com:8443",
// "*.example.com", "http://192.0.2.7:8080" or "[2001:db8::1]". Without a scheme it is https.
func parseRule(s string, private bool) (rule, error) {
	text := s
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return rule{}, errors.New("is not an origin such as https://api.example.com")
	case u.Scheme != "https" && u.Scheme != "http":
		return rule{}, errors.New("has another scheme than https and http")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return rule{}, errors.New("has more than scheme, host and port")
	case u.Path != "" && u.Path != "/":
		return rule{}, errors.New("has a path: origins are allowed as a whole")
	}
	r := rule{scheme: u.Scheme, private: private}
	if r.port, err = portOf(u); err != nil {
		return rule{}, err
	}
	host := strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return rule{}, errors.New("has an address with a zone")
		}
		r.addr, r.private = addr.Unmap(), true // whoever writes an address means it
		return r, nil
	}
	if r.host, r.any = strings.CutPrefix(host, "*."); r.any && !strings.Contains(r.host, ".") {
		return rule{}, errors.New("allows a whole top-level domain")
	}
	return r, checkName(r.host)
}

// portOf returns the port that a URL names or means.
func portOf(u *url.URL) (uint16, error) {
	switch port := u.Port(); {
	case port != "":
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return 0, errors.New("has no valid port")
		}
		return uint16(n), nil
	case u.Scheme == "http":
		return 80, nil
	}
	return 443, nil
}

// checkName takes host names of ASCII letters, digits, hyphens and underscores
// (RFC 1123 §2.1). The last label has a letter: what consists of numbers alone some
// resolvers take for an address.
func checkName(name string) error {
	if name == "" || len(name) > 253 {
		return errors.New("has no host name of 1 to 253 bytes")
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		bad := func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
		}
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, bad) {
			return fmt.Errorf("has the host name %q, which is none", name)
		}
	}
	last := labels[len(labels)-1]
	if !strings.ContainsFunc(last, func(r rune) bool { return r >= 'a' && r <= 'z' }) || strings.HasPrefix(last, "0x") {
		return fmt.Errorf("has the host name %q, which looks like an address", name)
	}
	return nil
}

// matches reports whether the rule is about a host and port. host is in lower case.
func (r rule) matches(host string, port uint16) bool {
	if r.port != port {
		return false
	}
	if r.addr.IsValid() {
		addr, err := netip.ParseAddr(host)
		return err == nil && addr.Unmap() == r.addr
	}
	if r.any {
		return strings.HasSuffix(host, "."+r.host)
	}
	return host == r.host
}
