package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// A fault says what is wrong with one value, in words that follow the quoted
// value, and how to write it.
type fault struct{ what, help string }

// Error returns what is wrong, without the help.
func (f fault) Error() string { return f.what }

// formats are the forms of strings that schema.json names. Each function returns
// a fault, or nil.
func formats() map[string]func(string) error {
	all := map[string]func(string) error{
		"edgeftp-proxy-timeout": proxyTimeout,
		"edgeftp-duration":      func(s string) error { return second(parseDuration(s, time.Millisecond)) },
		"edgeftp-timeout":       func(s string) error { return second(parseTimeout(s)) },
		"edgeftp-size":          func(s string) error { return second(parseSize(s)) },
		"edgeftp-rate":          func(s string) error { return second(parseRate(s)) },
		"edgeftp-share":         func(s string) error { return second(parseShare(s)) },
		"edgeftp-ports":         func(s string) error { return second(parsePorts(s)) },
		"edgeftp-perm":          func(s string) error { return second(parsePerms(s)) },
		"edgeftp-address":       func(s string) error { return second(parseAddress(s)) },
		"edgeftp-name":          checkName,
		"edgeftp-line":          checkLine,
		"edgeftp-hash":          checkHash,
		"edgeftp-path":          checkPath,

		"edgeftp-ip":            func(s string) error { return second(parseIP(s)) },
		"edgeftp-network":       func(s string) error { return second(parseNetwork(s)) },
		"edgeftp-sha256":        func(s string) error { return second(parseDigest(s)) },
		"edgeftp-time":          func(s string) error { return second(parseTime(s)) },
		"edgeftp-advertise":     checkAdvertise,
		"edgeftp-advertised":    checkAdvertised,
		"edgeftp-host":          checkHost,
		"edgeftp-hostname":      checkHostname,
		"edgeftp-text":          checkText,
		"edgeftp-virtual":       checkVirtual,
		"edgeftp-rule":          checkRule,
		"edgeftp-folder":        checkFolder,
		"edgeftp-mount":         checkMount,
		"edgeftp-umask":         checkUmask,
		"edgeftp-buffers":       checkBuffers,
		"edgeftp-prefix":        checkPrefix,
		"edgeftp-cipher":        checkCipher,
		"edgeftp-pattern":       pattern,
		"edgeftp-cache-control": headerField,
		"edgeftp-algorithm":     algorithm,
		"edgeftp-command":       checkCommand,
		"edgeftp-optional":      checkOptional,
		"edgeftp-keys":          checkKeys,
		"edgeftp-local":         checkLocal,
		"edgeftp-digest":        checkDigest,
		"edgeftp-origin":        checkOrigin,
		"edgeftp-space":         checkSpace,
		"edgeftp-memory":        checkMemory,
		"edgeftp-canary":        checkCanary,
		"edgeftp-memory-budget": func(s string) error { return second(parseMemoryBudget(s)) },
		"edgeftp-descriptors":   func(s string) error { return second(parseDescriptors(s)) },
		"edgeftp-percent":       func(s string) error { return second(parsePercent(s)) },
		"edgeftp-user-or-none":  orNone(checkUser),
		"edgeftp-account":       checkAccount,
		"edgeftp-page":          checkPage,
		"edgeftp-token":         checkToken,
		"edgeftp-webhook":       checkWebhook,
		"edgeftp-signing":       checkSigning,
		"edgeftp-field":         checkField,
		"edgeftp-event":         checkEvent,
		"edgeftp-free":          checkFree,
	}
	maps.Copy(all, acmeFormats())
	return all
}

// checkUser checks the form of a user of the host; whether there is such a user is the
// machine's to tell where it serves.
func checkUser(s string) error {
	bad := fault{"is no user", "write the name of a user, a UID or UID:GID, as in edgeftp or 990:990"}
	uid, gid, both := strings.Cut(s, ":")
	_, notUID := strconv.ParseUint(uid, 10, 31)
	_, notGID := strconv.ParseUint(gid, 10, 31)
	switch {
	case both && (notUID != nil || notGID != nil):
		return bad
	case uid == "root" || notUID == nil && strings.Trim(uid, "0") == "":
		return fault{"is root", "name another user; instance.allow_root is for a server that is to stay root"}
	case notUID == nil:
		return nil
	case len(s) > 255 || strings.HasPrefix(s, "-") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("/\\\"'", r) }):
		return bad
	}
	return nil
}

func second[T any](_ T, err error) error { return err }

type unit struct {
	name string
	size uint64
}

// units are the units of sizes, larger ones first.
func units() []unit {
	return []unit{{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9},
		{"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}}
}

// parseSize reads a number of bytes, at least one.
func parseSize(s string) (int64, error) {
	const help = "write it like 500MB (millions of bytes), 10GiB or 512B"
	digits := strings.TrimRightFunc(s, unicode.IsLetter)
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fault{"is too large", help}
	case err != nil:
		return 0, fault{"is not a size", meant(guessSize(s), help)}
	case n == 0:
		return 0, fault{"is nothing", "leave the key out for no limit"}
	case digits == s:
		return 0, fault{"has no unit", "write " + digits + "MB, " + digits + "MiB or another unit; " + digits + "B are bytes"}
	}
	for _, u := range units() {
		if u.name != s[len(digits):] {
			continue
		}
		if n > math.MaxInt64/u.size {
			return 0, fault{"is too large", help}
		}
		return int64(n * u.size), nil
	}
	return 0, fault{"has an unknown unit", meant(guessSize(s), help)}
}

// parseRate reads a number of bytes in a second, or 0 for no limit.
func parseRate(s string) (int64, error) {
	if s == "0" {
		return 0, nil
	}
	return parseShare(s)
}

// parseShare reads a number of bytes in a second, at least one.
func parseShare(s string) (int64, error) { return parseSize(strings.TrimSuffix(s, "/s")) }

// formatSize writes n bytes in the largest unit that is exact; zero is empty.
func formatSize(n int64) string {
	if n <= 0 {
		return ""
	}
	for _, u := range units() {
		if uint64(n)%u.size == 0 {
			return strconv.FormatUint(uint64(n)/u.size, 10) + u.name
		}
	}
	return ""
}

// parsePorts reads ranges and single ports between commas.
func parsePorts(s string) ([]PortSpan, error) {
	const help = "write a range like 50000-50999 or a list like 50000,50002"
	var spans []PortSpan
	for part := range strings.SplitSeq(s, ",") {
		a, b, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			b = a
		}
		first, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
		last, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
		switch {
		case errors.Is(err1, strconv.ErrRange), errors.Is(err2, strconv.ErrRange), err1 == nil && first == 0:
			return nil, fault{"has a port that does not exist", "ports are 1 to 65535"}
		case err1 != nil || err2 != nil:
			return nil, fault{"is no port range", help}
		case first > last:
			return nil, fault{fmt.Sprintf("ends before it begins: %d is more than %d", first, last), help}
		}
		spans = append(spans, PortSpan{uint16(first), uint16(last)})
	}
	return spans, nil
}

func formatPorts(spans []PortSpan) string {
	parts := make([]string, len(spans))
	for i, s := range spans {
		parts[i] = strconv.Itoa(int(s.First))
		if s.Last != s.First {
			parts[i] += "-" + strconv.Itoa(int(s.Last))
		}
	}
	return strings.Join(parts, ",")
}

func parsePerms(s string) (policy.Perms, error) {
	p, err := policy.ParsePerms(s)
	switch {
	case err != nil:
		return 0, fault{"is no set of permissions: " + err.Error(), "elr only reads, elradfmwMT permits everything"}
	case p == 0:
		return 0, fault{"permits nothing", "elr only reads, elradfmwMT permits everything"}
	}
	return p, nil
}

// parseAddress checks HOST:PORT and returns the host.
func parseAddress(s string) (string, error) {
	const help = "write it like 127.0.0.1:2121, [::1]:2121, :21 or ftp.example.org:21"
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		if strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "[") {
			return "", fault{"is no address with a port", "an IPv6 address stands in brackets: [::1]:2121"}
		}
		return "", fault{"is no address with a port", help}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || port != strconv.FormatUint(n, 10) {
		return "", fault{"has no usable port", "ports are 1 to 65535, or 0 for any free one"}
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.ContainsAny(host, " /@:[]%") {
		return "", fault{"has no usable host", help}
	}
	return host, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// checkName holds names of listeners, policies and groups to what fits into
// paths of the admin API, labels and log lines.
// CheckName fails if s cannot be the name of a slot, and says what can.
func CheckName(s string) error {
	err := checkName(s)
	var f fault
	if errors.As(err, &f) {
		return fmt.Errorf("%q %s\n   = help: %s", s, f.what, f.help)
	}
	return err
}

func checkName(s string) error {
	const help = "use up to 64 letters, digits, dots, dashes and underscores, a letter or digit first"
	for i, r := range s {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !plain && (i == 0 || !strings.ContainsRune("._-", r)) {
			return fault{"is not a usable name", help}
		}
	}
	if s == "" || len(s) > 64 {
		return fault{"is not a usable name", help}
	}
	return nil
}

func checkLine(s string) error {
	switch {
	case strings.ContainsFunc(s, unicode.IsControl):
		return fault{"holds a line end or control character", "write it in one line"}
	case len(s) > 500:
		return fault{"is longer than 500 bytes", "write less"}
	}
	return nil
}

func checkHash(s string) error {
	if err := edge.CheckHash(s); err != nil {
		return fault{"cannot be verified: " + strings.TrimPrefix(err.Error(), "unusable password hash: "), "store an argon2id hash in PHC form ($argon2id$v=19$...) or bcrypt ($2b$...), not the password: edgeftp user hash makes one"}
	}
	return nil
}

// checkPath refuses what no path is, above all the content of a file in the
// place of its name.
func checkPath(s string) error {
	switch {
	case strings.Contains(s, "-----BEGIN"):
		return fault{"is the content of a file, not its path", "name the file; keys and certificates in place are not built yet"}
	case s == "":
		return fault{"is empty", "name a path"}
	case strings.ContainsFunc(s, unicode.IsControl) || len(s) > 4095:
		return fault{"is not a path", "a path has no control characters and at most 4,095 bytes"}
	}
	return nil
}

// ParseRate reads a rate as the configuration file has it, such as 10MB or 1GiB/s:
// bytes in a second, 0 for no limit.
func ParseRate(s string) (int64, error) {
	n, err := parseRate(s)
	return n, worded(s, err)
}

// ParseSize reads a size as the configuration file has it, such as 64MiB: bytes.
func ParseSize(s string) (int64, error) {
	n, err := parseSize(s)
	return n, worded(s, err)
}

// worded tells a fault of a value that stands on a command line.
func worded(s string, err error) error {
	if f := (fault{}); errors.As(err, &f) {
		return fmt.Errorf("%q %s; %s", s, f.what, f.help)
	}
	return err
}

// FormatRate writes a rate so that ParseRate reads it; 0 is "-".
func FormatRate(n int64) string {
	if n <= 0 {
		return "-"
	}
	return formatSize(n) + "/s"
}

// ParseNetwork reads a network, or an address, which is a network of one, as the
// configuration file has it.
func ParseNetwork(s string) (netip.Prefix, error) {
	p, err := parseNetwork(s)
	return p, worded(s, err)
}
