package config

import (
	"encoding/base64"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/edgeftp/edgeftp/acme"
)

// acmeFormats are the forms of strings that certificates from an authority add to
// formats.
func acmeFormats() map[string]func(string) error {
	return map[string]func(string) error{
		"edgeftp-subject":          checkSubject,
		"edgeftp-subject-or-none":  orNone(checkSubject),
		"edgeftp-email-or-none":    orNone(checkEmail),
		"edgeftp-ca":               func(s string) error { return second(parseCA(s)) },
		"edgeftp-ca-or-none":       orNone(func(s string) error { return second(parseCA(s)) }),
		"edgeftp-profile-or-none":  orNone(checkProfile),
		"edgeftp-path-or-none":     orNone(checkPath),
		"edgeftp-record-or-none":   orNone(checkRecord),
		"edgeftp-resolver":         func(s string) error { return second(parseResolver(s)) },
		"edgeftp-resolver-or-none": orNone(func(s string) error { return second(parseResolver(s)) }),
		"edgeftp-challenge":        checkChallenge,
		"edgeftp-setting":          checkSetting,
		"edgeftp-mac":              func(s string) error { return second(parseMAC(s)) },
	}
}

// orNone is a form whose values may also be empty, which is as if they were absent.
func orNone(check func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
}

// maxName is how many bytes of a name in any script are looked at; one in ASCII has at
// most 253.
const maxName = 1000

// checkSubject holds a name to what a certificate can be for at all. What the
// authority and the challenges make of it is checked later.
func checkSubject(s string) error {
	const help = "write it like ftp.example.org, *.files.example.org or 198.51.100.7"
	if len(s) > maxName {
		return fault{"is longer than any name", help}
	}
	if scheme, rest, found := strings.Cut(s, "://"); found {
		host, _, _ := strings.Cut(rest, "/")
		return fault{"is a URL", "write the host alone" + like(scheme != "" && checkSubject(host) == nil, host)}
	}
	if host, _, err := net.SplitHostPort(s); err == nil {
		return fault{"has a port, and certificates are for names, whatever the port", "write the host alone" + like(checkSubject(host) == nil, host)}
	}
	switch rest, star := strings.CutPrefix(s, "*."); {
	case strings.Contains(rest, "*"):
		return fault{"has a star that is not its whole first label", "*.files.example.org stands for each name that is one label longer; name the others one by one"}
	case star && len(rest) > 0 && isAddress(rest):
		return fault{"is a wildcard of an address", "wildcards are of names: *.files.example.org"}
	case strings.Contains(s, "@"):
		return fault{"is an email address", "write the host alone"}
	case strings.ContainsAny(s, "/ "):
		return fault{"is no name of a host", help}
	}
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && (ip.IsUnspecified() || ip.Zone() != "") {
		return fault{"stands for no single address", "name the address that clients connect to"}
	}
	plain, err := acme.Subject(s)
	numeric := strings.Trim(plain[strings.LastIndexByte(plain, '.')+1:], "0123456789") == "" // as no top-level domain is
	again, second := acme.Subject(plain)                                                     // not all that IDNA takes has a form that it takes as well
	if err != nil || second != nil || again != plain || numeric && !isAddress(plain) {
		return fault{"is neither an IP address nor a name that a certificate can hold", help}
	}
	return nil
}

// like is the end of a help with an example, if there is one.
func like(known bool, example string) string {
	if known {
		return ": " + example
	}
	return ""
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// subject is the one form of a name that the schema has checked; of what it has
// refused it is empty.
func subject(s string) string {
	if len(s) > maxName {
		return ""
	}
	plain, _ := acme.Subject(s)
	return plain
}

func checkEmail(s string) error {
	user, host, found := strings.Cut(s, "@")
	if !found || user == "" || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("<>,;:@", r) && r != '@'
	}) ||
		strings.Contains(host, "@") || !strings.Contains(host, ".") || subject(host) == "" || len(s) > 254 {
		return fault{"is no email address", "write it like ops@example.org, or leave the key out"}
	}
	return nil
}

func checkProfile(s string) error {
	if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}) {
		return fault{"is no name of a profile", "the authority's directory lists them, such as classic, tlsserver and shortlived"}
	}
	return nil
}

// parseCA returns the URL of an authority's directory.
func parseCA(s string) (string, error) {
	var names []string
	for _, a := range knownAuthorities() {
		if s == a.name || s == a.directory {
			return a.directory, nil
		}
		names = append(names, a.name)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme == "" || u.Opaque != "":
		return "", fault{"is no authority", suggest(s, names, "name one of "+strings.Join(names, ", ")+", or the URL of its directory")}
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return "", fault{"is no URL of a directory", "write it like https://ca.example.org/acme/directory"}
	case u.User != nil || u.Fragment != "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return "", fault{"is no URL of a directory", "write scheme, host and path alone; an account with the authority goes into account_binding"}
	case u.Port() != "" && !isPort(u.Port()):
		return "", fault{"has a port that does not exist", "ports are 1 to 65535"}
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", fault{"is not encrypted: anybody on the way could take the place of the authority", "write https://; http:// is for loopback addresses alone"}
	}
	return s, nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// checkRecord is a name in the DNS: unlike one of a host, it may have underscores.
func checkRecord(s string) error {
	name := strings.TrimSuffix(s, ".")
	bad := len(name) > 253 || isAddress(name) || !strings.Contains(name, ".")
	for label := range strings.SplitSeq(name, ".") {
		bad = bad || label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
	}
	if bad {
		return fault{"is no name of a record", "write it like _acme-challenge.example.net"}
	}
	return nil
}

// parseResolver reads an IP address with or without a port, and returns it with one.
func parseResolver(s string) (string, error) {
	const help = "write it like 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53"
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && ip.Zone() == "" && !ip.IsUnspecified() {
		return netip.AddrPortFrom(ip.Unmap(), 53).String(), nil
	}
	at, err := netip.ParseAddrPort(s)
	switch {
	case err != nil || at.Addr().Zone() != "" || at.Addr().IsUnspecified():
		return "", fault{"is no address of a DNS server", help}
	case at.Port() == 0:
		return "", fault{"has no usable port", help}
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String(), nil
}

func resolver(s string) string {
	r, _ := parseResolver(s)
	return r
}

// checkChallenge is HOST:PORT of a listener that an authority is to find.
func checkChallenge(s string) error {
	if _, err := parseAddress(s); err != nil {
		return err
	}
	if strings.HasSuffix(s, ":0") {
		return fault{"has no port that an authority could come to", "it comes to port 80 for http-01 and to 443 for tls-alpn-01: name that, or the port to which it is forwarded"}
	}
	return nil
}

// checkSetting is a name of a provider's setting.
func checkSetting(s string) error {
	ok := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' }
	if s == "" || len(s) > 64 || s[0] < 'a' || s[0] > 'z' || strings.ContainsFunc(s, func(r rune) bool { return !ok(r) }) {
		return fault{"is no name of a setting", "they are lower-case letters, digits and underscores, such as api_token"}
	}
	return nil
}

// parseMAC reads a key in base64url, and returns it without padding.
func parseMAC(s string) (string, error) {
	plain := strings.TrimRight(s, "=")
	if b, err := base64.RawURLEncoding.DecodeString(plain); err == nil && len(b) > 0 {
		return plain, nil
	}
	what := "is no key in base64url"
	if _, err := base64.RawStdEncoding.DecodeString(plain); err == nil && plain != "" {
		what = "is a key in base64, and not in base64url"
	}
	return "", fault{what, "copy it as the authority shows it: letters, digits, - and _"}
}

// isReference reports whether a text is one ${...} and nothing else.
func isReference(s string) bool {
	return strings.HasPrefix(s, "${") && strings.HasSuffix(s, "}") && strings.Count(s, "}") == 1
}

// isSecret reports whether the value at path is one that is never shown.
func isSecret(path []string) bool {
	if isWebhookSecret(path) {
		return true
	}
	if len(path) == 5 && path[0] == "admin" && path[2] == "tokens" {
		return path[4] == "token"
	}
	if len(path) < 4 || path[0] != "certificates" || path[1] != "acme" {
		return false
	}
	return slices.Equal(path[len(path)-2:], []string{"account_binding", "mac"}) || len(path) == 5 && path[2] == "dns" && path[3] == "settings"
}
