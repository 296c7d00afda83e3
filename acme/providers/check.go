package providers

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// check says what is wrong with the value of a setting, and what to write; nothing if
// all is well. It must not repeat a secret.
type check func(value string) (what, help string)

// Check says what is wrong with the settings of a provider: an error of type [Faults]
// that holds everything, or nil. Nothing is connected to.
func Check(name string, settings map[string]string) error {
	p := find(name)
	if p == nil {
		return Faults{unknownProvider(name)}
	}
	var faults Faults
	for _, s := range p.Settings {
		value, given := settings[s.Name]
		if what, help := p.value(s, value, given); what != "" {
			faults = append(faults, Fault{s.Name, what, help})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if p.setting(key) == nil {
			faults = append(faults, p.unknownSetting(key))
		}
	}
	if p.whole != nil {
		faults = append(faults, p.whole(settings)...)
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}

func (p *provider) value(s Setting, value string, given bool) (what, help string) {
	switch {
	case value == "" && s.Required && given:
		return "is empty", "write " + s.Help
	case value == "" && s.Required:
		return "is missing", "write " + s.Help
	case value == "":
		return "", ""
	case strings.TrimSpace(value) != value:
		return "begins or ends with a space or a line break", "write the value alone"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has a line break or another control character", "write the value alone"
	case s.Secret && strings.ContainsFunc(value, func(r rune) bool { return r > '~' }):
		return "has a letter or sign in it that no secret has", "copy the secret anew from where it was made"
	case s.Secret && strings.ContainsAny(value, " \"'"):
		return "has a space or a quote in it", "write the secret alone, without the words before it and without quotes"
	case p.checks[s.Name] == nil:
		return "", ""
	}
	return p.checks[s.Name](value)
}

func unknownProvider(name string) Fault {
	f := Fault{What: strconv.Quote(name) + " is no DNS provider of this program"}
	if name == "" {
		f.What = "is missing"
	}
	word := strings.ToLower(name)
	for _, p := range all() {
		if p.Name == word || slices.Contains(p.also, word) {
			f.Help = fmt.Sprintf("write %q", p.Name)
			return f
		}
	}
	if best := nearest(word, Names()); best != "" {
		f.Help = fmt.Sprintf("did you mean %q?", best)
		return f
	}
	f.Help = "write one of: " + strings.Join(Names(), ", ") +
		"; for a zone elsewhere, make _acme-challenge.NAME a CNAME to a name in a zone at one of these (dns.delegate), or use the challenge dns-persist-01, which needs no provider"
	return f
}

func (p *provider) unknownSetting(key string) Fault {
	f := Fault{Setting: key, What: "unknown setting of " + p.Name}
	var names []string
	for _, s := range p.Settings {
		names = append(names, s.Name)
	}
	f.Help = "write: " + strings.Join(names, ", ")
	if best := nearest(plain(key), names); best != "" {
		f.Help = fmt.Sprintf("did you mean %q?", best)
	}
	return f
}

// plain writes apiToken, api-token and API_TOKEN as api_token.
func plain(key string) string {
	var b strings.Builder
	for i, r := range key {
		if r >= 'A' && r <= 'Z' && i > 0 && key[i-1] >= 'a' && key[i-1] <= 'z' {
			b.WriteByte('_')
		}
		if r == '-' || r == ' ' {
			r = '_'
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// nearest returns the candidate that is the fewest edits from s, or one that ends like
// it (token: api_token), or nothing if all are far.
func nearest(s string, candidates []string) string {
	best, least := "", 1+max(1, len(s)/3)
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(s, c); d < least {
			best, least = c, d
		}
	}
	for _, c := range candidates {
		if best == "" && (strings.HasSuffix(c, "_"+s) || strings.HasSuffix(s, "_"+c)) {
			best = c
		}
	}
	return best
}

func hostPort(value string) (what, help string) {
	const form = "write HOST:PORT, like ns1.example.org:53, 192.0.2.53:53 or [2001:db8::53]:53"
	if ip, err := netip.ParseAddr(value); err == nil {
		return quoted(value) + " has no port", "write " + netip.AddrPortFrom(ip, 53).String()
	}
	host, port, err := net.SplitHostPort(value)
	switch {
	case strings.Contains(value, "://"):
		return quoted(value) + " is a URL", form
	case err != nil && !strings.Contains(value, ":"):
		return quoted(value) + " has no port", "write " + value + ":53"
	case err != nil || host == "" || strings.ContainsAny(host, " /"):
		return quoted(value) + " is no server", form
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return quoted(value) + " has no port between 1 and 65535", form
	}
	return "", ""
}

// webAddress wants https, as the account's password is sent there; http is for a server
// on this machine alone.
func webAddress(value string) (what, help string) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return quoted(value) + " is no URL", "write it like https://auth.example.org"
	case u.User != nil:
		return "has a user name in it", "write username and password as settings of their own"
	case u.RawQuery != "" || u.Fragment != "":
		return quoted(value) + " has more than a path behind its host", "write it like https://auth.example.org"
	case strings.HasSuffix(u.Path, "/update") || strings.HasSuffix(u.Path, "/register"):
		return quoted(value) + " is that of a request", "write what stands before " + u.Path[strings.LastIndexByte(u.Path, '/'):]
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return quoted(value) + " would send the password unencrypted", "write https://" + u.Host + u.Path
	}
	return "", ""
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func label(value string) (what, help string) {
	if first, _, more := strings.Cut(value, "."); more {
		return quoted(value) + " is a whole name", "write " + first
	}
	return "", ""
}

func domain(value string) (what, help string) {
	name := strings.TrimSuffix(value, ".")
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || len(part) > 63 || len(name) > 253 || strings.ContainsAny(part, " \"';/") {
			return quoted(value) + " is no name of a key", "write it as the server has it, like edgeftp or edgeftp.example.org."
		}
	}
	return "", ""
}

func algorithm(value string) (what, help string) {
	known := []string{"hmac-sha256", "hmac-sha512", "hmac-sha384", "hmac-sha224", "hmac-sha1"}
	word := strings.TrimSuffix(strings.ToLower(value), ".")
	switch {
	case slices.Contains(known, word):
		return "", ""
	case strings.HasPrefix(word, "hmac-md5"):
		return quoted(value) + " is too weak", "make a key with tsig-keygen -a hmac-sha256, for the server and here"
	}
	if best := nearest(word, known); best != "" {
		return quoted(value) + " is no algorithm", fmt.Sprintf("did you mean %q?", best)
	}
	return quoted(value) + " is no algorithm", "write one of: " + strings.Join(known, ", ")
}

func base64Text(value string) (what, help string) {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err == nil && len(raw) >= 8 {
		return "", ""
	}
	if err == nil {
		return "is too short to be a secret", "write what stands behind secret in the key that tsig-keygen has made"
	}
	return "is not in base64 (letters, digits, +, / and = at its end)", "write what stands behind secret in the key that tsig-keygen has made, without quotes"
}

func cloudflareToken(value string) (what, help string) {
	hex := func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }
	if len(value) == 37 && !strings.ContainsFunc(value, hex) {
		return "is a global API key, which may do everything", "make an API token with Zone / DNS / Edit for the zone, and write that"
	}
	return "", ""
}

func accessKey(value string) (what, help string) {
	odd := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }
	switch {
	case strings.HasPrefix(value, "ASIA"):
		return "is that of temporary credentials, which end in hours", "make an access key of a user, whose id begins with AKIA"
	case len(value) < 16 || len(value) > 128 || strings.ContainsFunc(value, odd):
		// The value is not repeated: it may be the secret in the wrong place.
		return "is no id of an access key", "write the id (AKIA and 16 capital letters and digits), and the secret as secret_access_key"
	}
	return "", ""
}

func zoneID(value string) (what, help string) {
	odd := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }
	id := strings.TrimPrefix(strings.TrimPrefix(value, "/"), "hostedzone/")
	switch {
	case id == "" || len(id) > 32 || strings.ContainsFunc(id, odd):
		return quoted(value) + " is no id of a zone", "write it as the console shows it, like Z0123456789ABC"
	case id != value:
		return quoted(value) + " is a path", "write " + id
	}
	return "", ""
}

// quoted is a value in a message, in a length that a line bears.
func quoted(value string) string {
	if len(value) > 80 {
		value = value[:80] + "..."
	}
	return strconv.Quote(value)
}
