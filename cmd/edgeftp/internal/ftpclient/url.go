package ftpclient

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// Security says how a connection is protected.
type Security uint8

// The ways.
const (
	Explicit Security = iota // AUTH TLS (RFC 4217), which is required to succeed
	Implicit                 // TLS from the first byte, as port 990 has it
	Plain                    // nothing is protected
)

// Target is what a URL names.
type Target struct {
	// Host is a name, or an address without brackets.
	Host string
	// Port is 21, 990 for ftps:, or what the URL says.
	Port uint16
	// Security is Explicit but for ftps: URLs.
	Security Security
	// User is empty if the URL names none.
	User string
	// Password is nil if the URL has none.
	Password *string
	// Path is sent as it is: relative to the directory of the login, unless it begins
	// with a slash (RFC 1738 §3.2.2). It has no slash at its end, and is empty for the
	// login's directory itself.
	Path string
	// Folder says that the path ended with a slash.
	Folder bool
}

// Address is HOST:PORT.
func (t *Target) Address() string {
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
}

// String is the URL without a password, printable.
func (t *Target) String() string {
	scheme, usual := "ftp", uint16(21)
	if t.Security == Implicit {
		scheme, usual = "ftps", 990
	}
	u := url.URL{Scheme: scheme, Host: t.Host, Path: "/" + t.Path}
	if t.Port != usual || strings.Contains(t.Host, ":") {
		u.Host = t.Address()
	}
	if t.User != "" {
		u.User = url.User(t.User)
	}
	return u.String()
}

// Loopback reports whether the target is this machine by an address, or by the name
// localhost, which never leaves it (RFC 6761 §6.3).
func (t *Target) Loopback() bool {
	ip, err := netip.ParseAddr(t.Host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(t.Host, "localhost")
}

// IsURL reports whether a word of a command line is meant as a URL.
func IsURL(s string) bool { return strings.Contains(s, "://") }

// ParseURL reads ftp://, ftps:// (implicit TLS) and ftpes:// (explicit TLS, as ftp://)
// URLs: SCHEME://[USER[:PASSWORD]@]HOST[:PORT]/[PATH].
func ParseURL(s string) (*Target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%s is no URL\n   = help: write it like ftp://user@ftp.example.org/dir/file; %% in a name is %%25", escape.Text(withoutPassword(s)))
	}
	t := &Target{Port: 21}
	switch strings.ToLower(u.Scheme) {
	case "ftp", "ftpes":
	case "ftps":
		t.Security, t.Port = Implicit, 990
	default:
		return nil, fmt.Errorf("%q is no scheme of FTP\n   = help: ftp:// and ftpes:// protect with AUTH TLS, ftps:// is TLS from the first byte", u.Scheme)
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return nil, fmt.Errorf("an FTP URL has no query and no fragment\n   = help: ? in a name is %%3F, # is %%23")
	}
	if err := t.host(u); err != nil {
		return nil, err
	}
	t.User = u.User.Username()
	if password, ok := u.User.Password(); ok {
		t.Password = &password
	}
	// The first slash ends the host; %2F behind it begins an absolute path, and so does
	// a second slash.
	path, err := url.PathUnescape(strings.TrimPrefix(u.EscapedPath(), "/"))
	if err != nil {
		return nil, fmt.Errorf("the path of the URL: %w", err)
	}
	t.Folder = path == "" || strings.HasSuffix(path, "/")
	t.Path = strings.TrimRight(path, "/")
	if t.Path == "" && path != "" {
		t.Path = "/"
	}
	for what, text := range map[string]string{"the path": path, "the user's name": t.User} {
		if err := checkArgument(what, text); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *Target) host(u *url.URL) error {
	t.Host = strings.TrimSuffix(u.Hostname(), ".")
	if strings.ContainsFunc(t.Host, func(r rune) bool { return r > 127 }) {
		return fmt.Errorf("the host %s has letters that are not of ASCII\n   = help: write it as DNS has it, which begins with xn--", escape.Text(clip(t.Host)))
	}
	if _, err := netip.ParseAddr(t.Host); err != nil && (t.Host == "" || strings.Trim(strings.ToLower(t.Host), "abcdefghijklmnopqrstuvwxyz0123456789-._") != "") {
		return fmt.Errorf("the URL names no host\n   = help: write it like ftp://user@ftp.example.org/dir/file")
	}
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is no port; it is 1 to 65535", text)
		}
		t.Port = uint16(n)
	}
	return nil
}

// withoutPassword is a text that may be a URL without what lies between the scheme and
// the host.
func withoutPassword(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return clip(s)
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return clip(scheme + "://" + rest)
}
