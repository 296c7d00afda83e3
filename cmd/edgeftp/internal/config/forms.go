package config

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// suggest proposes the candidate that a word may have been meant to be, or else
// says something about all of them.
func suggest(word string, candidates []string, otherwise string) string {
	if best := Nearest(word, candidates); best != "" {
		return `did you mean "` + best + `"?`
	}
	return otherwise
}

// parseIP reads one address of the machine.
func parseIP(s string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return ip, fault{"is no IP address", "write it like 192.0.2.1 or 2001:db8::1"}
	}
	return ip.Unmap(), nil
}

// parseNetwork reads a network, or an address, which is a network of one.
func parseNetwork(s string) (netip.Prefix, error) {
	const help = "write it like 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1"
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, fault{"is no network", help}
	case p.Addr().Is4In6():
		return p, fault{"is an IPv4 network in IPv6's form", "write it as IPv4: " + help[len("write it "):]}
	case p != p.Masked():
		return p, fault{"has bits behind the network's", "write " + p.Masked().String() + ", or an address alone"}
	}
	return p, nil
}

// checkAdvertise is checkAdvertised, or the word for the connection's own address.
func checkAdvertise(s string) error {
	if s == autoAdvertise {
		return nil
	}
	return checkAdvertised(s)
}

func checkAdvertised(s string) error {
	ip, err := netip.ParseAddr(s)
	switch {
	case err == nil && !ip.Is4():
		return fault{"is an IPv6 address, which the 227 reply cannot tell (RFC 959 §4.1.2)", "name an IPv4 address; EPSV needs none"}
	case err == nil && ip.IsUnspecified():
		return fault{"is no address that clients can connect to", "name the IPv4 address that clients reach"}
	case edge.CheckAdvertised(s) != nil:
		return fault{"is neither an IPv4 address nor a host name", "name what clients reach, like 203.0.113.9 or ftp.example.org"}
	}
	return nil
}

// checkHost is what HOST may give: a name, an IPv4 address, or an IPv6 address in
// brackets (RFC 7151 §3.1).
func checkHost(s string) error {
	if inner, bracket := strings.CutPrefix(s, "["); bracket {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err == nil && ip.Is6() && ip.Zone() == "" && strings.HasSuffix(s, "]") {
			return nil
		}
	}
	if edge.CheckAdvertised(s) != nil {
		return fault{"is no host name", "write it like ftp.example.org, 192.0.2.1 or [2001:db8::1]"}
	}
	return nil
}

// checkText is what a reply may say: lines without control characters.
func checkText(s string) error {
	text := lines(s)
	if text == "" {
		return fault{"says nothing", "write what clients are told, or leave the key out"}
	}
	all := strings.Split(text, "\n")
	if len(all) > 100 {
		return fault{"has more than 100 lines", "write less"}
	}
	for _, line := range all {
		if strings.ContainsFunc(line, unicode.IsControl) {
			return fault{"holds a control character", "write lines of plain text"}
		}
		if len(line) > 500 {
			return fault{"has a line of more than 500 bytes", "write shorter lines"}
		}
	}
	return nil
}

func checkVirtual(s string) error {
	if !strings.HasPrefix(s, "/") {
		return fault{"does not begin with /", "it is a path as clients see it"}
	}
	if _, err := vfs.Clean(vfs.Root, s); err != nil || strings.ContainsFunc(s, unicode.IsControl) {
		return fault{"is no path", "write it like /pub/in"}
	}
	return nil
}

// checkRule is a set of permissions that may be empty.
func checkRule(s string) error {
	if s == "" {
		return nil
	}
	return second(parsePerms(s))
}

// checkBuffers is a size that edge takes, or the word for its own choice.
func checkBuffers(s string) error {
	n, err := parseSize(s)
	switch {
	case s == autoBuffers:
		return nil
	case err != nil:
		return err
	case n < 4<<10 || n > 4<<20:
		return fault{"is no possible size", "4KiB to 4MiB are, or auto"}
	}
	return nil
}

// checkPrefix refuses a template that the server does not understand.
func checkPrefix(s string) error {
	if err := checkLine(s); err != nil {
		return err
	}
	if _, err := pi.ParsePrefix(s); err != nil {
		return fault{"is no template: " + err.Error(), "the names are " + strings.Join(pi.PrefixNames(), ", ") + "; %% is a percent sign"}
	}
	return nil
}

// checkCipher is a suite of TLS 1.2 without known weakness.
func checkCipher(s string) error {
	var names []string
	for _, suite := range tls.CipherSuites() {
		if slices.Contains(suite.SupportedVersions, tls.VersionTLS12) && !weak(suite) {
			names = append(names, suite.Name)
		}
	}
	if slices.Contains(names, s) {
		return nil
	}
	what := "is no cipher suite of TLS 1.2 that edgeftp has"
	if slices.ContainsFunc(append(tls.InsecureCipherSuites(), tls.CipherSuites()...), func(c *tls.CipherSuite) bool { return c.Name == s && weak(c) }) {
		what = "is a weak cipher suite"
	}
	return fault{what, suggest(s, names, "one of: "+strings.Join(names, ", "))}
}

// weak suites are those that crypto/tls calls so, and CBC with its padding.
func weak(c *tls.CipherSuite) bool { return c.Insecure || strings.Contains(c.Name, "_CBC_") }

// Suites returns the numbers of Ciphers for tls.Config, nil for the server's
// choice.
func (t *TLS) Suites() []uint16 {
	var ids []uint16
	for _, suite := range tls.CipherSuites() {
		if slices.Contains(t.Ciphers, suite.Name) {
			ids = append(ids, suite.ID)
		}
	}
	return ids
}

// parseTime reads a date, whose first moment in UTC it is, or a time.
func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, fault{"is neither a date nor a time", "write it like 2027-01-31 or 2027-01-31T18:00:00Z"}
	}
	return t.UTC(), nil
}

// parseDigest reads a SHA-256 digest in hex, also with colons between the bytes,
// and returns it in lower case without them.
func parseDigest(s string) (string, error) {
	d := strings.ToLower(s)
	if strings.Contains(d, ":") && len(d) == 3*sha256.Size-1 {
		d = strings.ReplaceAll(d, ":", "")
	}
	if b, err := hex.DecodeString(d); err != nil || len(b) != sha256.Size {
		return "", fault{"is no SHA-256 digest", "write 64 hexadecimal digits: openssl x509 -in FILE -noout -fingerprint -sha256 shows them"}
	}
	return d, nil
}

// verb is a command as the command table has it.
func verb(s string) string { return strings.Join(strings.Fields(strings.ToUpper(s)), " ") }

func verbs(list []string) []string {
	var out []string
	for _, s := range list {
		if v := verb(s); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// known returns the verbs of rows, and the words that several begin with.
func known(rows []*pi.Spec) []string {
	var all []string
	for _, row := range rows {
		group, _, found := strings.Cut(row.Verb, " ")
		if found && !slices.Contains(all, group) {
			all = append(all, group)
		}
		all = append(all, row.Verb)
	}
	return all
}

func checkCommand(s string) error {
	all := known(pi.Standard().Rows())
	if slices.Contains(all, verb(s)) {
		return nil
	}
	return fault{"is no command of this server, which refuses it anyway", suggest(s, all, "HELP and SITE HELP list the commands")}
}

func checkOptional(s string) error {
	var all []string
	for _, row := range pi.Optional() {
		all = append(all, row.Verb)
	}
	if slices.Contains(all, verb(s)) {
		return nil
	}
	return fault{"is no optional command", suggest(s, all, "one of: "+strings.Join(all, ", "))}
}
