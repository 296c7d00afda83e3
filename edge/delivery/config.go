package delivery

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"time"
)

// Config is how a Handler answers. The zero value lets nobody in.
type Config struct {
	// Listener is the listener of the server's whose sessions carry the requests out: its
	// policies, virtual hosts, limits and bandwidth hold.
	Listener string
	// Anonymous is the user that a request without credentials logs in as, such as
	// "anonymous"; empty: such a request is refused.
	Anonymous string
	// Basic takes a user and a password by Basic authentication (RFC 7617), over TLS alone.
	Basic bool
	// BasicInClear takes them without TLS too, where whoever is on the way can read them.
	BasicInClear bool
	// Realm is what a browser calls what the password is for; empty is "files".
	Realm string

	// Cache says how long answers may be kept: the first rule that fits a path holds. Where
	// none does, what a user had to log in for is "private", and of the rest nothing is said.
	Cache []Rule
	// Attachments are patterns, as in Rule, of files that browsers are to save and not to show.
	Attachments []string
	// FilePolicy is the Content-Security-Policy of files that a browser might run: HTML, SVG
	// and other XML. Empty is "sandbox", because whoever may upload is not who runs the
	// site; "off" sends none.
	FilePolicy string
	// HSTS is for how long browsers are to come by TLS alone (RFC 6797), said over TLS; 0:
	// nothing is said.
	HSTS time.Duration
	// AltSvc is the Alt-Svc field (RFC 7838) of answers over TLS but not over HTTP/3, such as
	// `h3=":443"; ma=86400`; empty sends none.
	AltSvc string

	// PerConnection is how many sessions one connection may have, which is how many of its
	// requests are carried out at once; 0 is 4.
	PerConnection int
	// Stall is how long a client may take nothing of an answer that is not a file, whose time
	// is the server's own matter (Timeouts.Stall); 0 is one minute.
	Stall time.Duration
	// Answered is told of each answer: the protocol, as of edge.Visitor, and the status, 0 if
	// there was none. It must not block; nil: nobody is.
	Answered func(protocol string, status int)
	// Log is told of each request at level debug; nil: nothing is.
	Log *slog.Logger
}

// Rule is a Cache-Control field (RFC 9111 §5.2) for some paths.
type Rule struct {
	// Pattern is as of path.Match, for the whole canonical path where it begins with "/", or
	// else for its last component. "/pub/**" is all that lies below /pub.
	Pattern string
	// Header is the value, such as "public, max-age=3600".
	Header string
}

// check returns the Config with its defaults.
func (c Config) check() (Config, error) {
	if c.Realm == "" {
		c.Realm = "files"
	}
	if c.PerConnection == 0 {
		c.PerConnection = 4
	}
	if c.Stall == 0 {
		c.Stall = time.Minute
	}
	if c.FilePolicy == "" {
		c.FilePolicy = "sandbox"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, c.faults()
}

func (c *Config) faults() error {
	if c.PerConnection < 0 || c.Stall < 0 || c.HSTS < 0 {
		return errors.New("delivery: PerConnection, Stall and HSTS cannot be negative")
	}
	for what, value := range map[string]string{"Realm": c.Realm, "FilePolicy": c.FilePolicy, "AltSvc": c.AltSvc, "Anonymous": c.Anonymous} {
		if !visible(value) {
			return fmt.Errorf("delivery: %s %q holds what no header field may hold: it takes printable ASCII", what, value)
		}
	}
	for _, r := range c.Cache {
		if err := r.check(); err != nil {
			return err
		}
	}
	for _, p := range c.Attachments {
		if !ValidPattern(p) {
			return noPattern(p)
		}
	}
	return nil
}

func (r Rule) check() error {
	if !ValidPattern(r.Pattern) {
		return noPattern(r.Pattern)
	}
	if !ValidField(r.Header) {
		return fmt.Errorf("delivery: the Cache-Control of pattern %q is %q: it takes printable ASCII, such as \"public, max-age=3600\"", r.Pattern, r.Header)
	}
	return nil
}

func noPattern(p string) error {
	return fmt.Errorf("delivery: %q is no pattern: it is as of path.Match, such as *.html, or a directory with /** behind it", p)
}

// ValidPattern reports whether a text is a pattern as Rule has them.
func ValidPattern(p string) bool {
	_, err := path.Match(strings.TrimSuffix(p, "/**"), "")
	return err == nil && p != ""
}

// ValidField reports whether a text may be the value of a header field: it is printable
// ASCII, and there is some.
func ValidField(v string) bool { return v != "" && visible(v) }

// visible reports whether a text may stand in a header field.
func visible(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// fits reports whether a valid pattern fits a canonical path.
func fits(pattern, p string) bool {
	if dir, below := strings.CutSuffix(pattern, "/**"); below {
		for ; p != "/" && p != "."; p = path.Dir(p) {
			if ok, _ := path.Match(dir, path.Dir(p)); ok || dir == "" {
				return true
			}
		}
		return false
	}
	if !strings.HasPrefix(pattern, "/") {
		p = path.Base(p)
	}
	ok, _ := path.Match(pattern, p)
	return ok
}

// cacheControl is the Cache-Control field of an answer about a canonical path, empty for
// none.
func (c *Config) cacheControl(p string, anonymous bool) string {
	for _, r := range c.Cache {
		if fits(r.Pattern, p) {
			return r.Header
		}
	}
	if !anonymous {
		return "private"
	}
	return ""
}

// attached reports whether a file is to be saved.
func (c *Config) attached(p string) bool {
	for _, pattern := range c.Attachments {
		if fits(pattern, p) {
			return true
		}
	}
	return false
}
