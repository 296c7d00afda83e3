package ftpclient

import (
	"path/filepath"
	"strings"
	"unicode"
)

// maxName is how many bytes a name may have that becomes a file.
const maxName = 255

// CheckName says why a name that a server tells cannot be that of a file in a directory,
// or nil: ".." and what holds a slash would lead elsewhere, and control characters do
// harm where the name is shown.
func CheckName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return refuse("the server lists the name %q, which is none", name)
	case len(name) > maxName:
		return refuse("the server lists a name of %d bytes: %q", len(name), clip(name))
	case strings.ContainsAny(name, "/\x00"):
		return refuse("the server lists the name %q, which leads elsewhere", clip(name))
	case strings.ContainsFunc(name, unicode.IsControl) || strings.Contains(name, "\xff"):
		return refuse("the server lists the name %q, which holds control characters", clip(name))
	case !filepath.IsLocal(name) || filepath.Base(name) != name:
		return refuse("the server lists the name %q, which this system does not take", clip(name))
	}
	return nil
}

// checkArgument refuses what would be more than the argument of one command: a line's
// end, and what TELNET takes for itself (RFC 959 §3.1.1.5.2, RFC 854).
func checkArgument(what, s string) error {
	if strings.ContainsAny(s, "\r\n\x00") || strings.Contains(s, "\xff") {
		return refuse("%s %q holds a character that cannot be sent", what, clip(s))
	}
	return nil
}
