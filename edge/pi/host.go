package pi

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Virtual is the hosts that a listener's sessions may belong to. Each has a Config of
// its own. It is complete before the first session uses it.
type Virtual struct {
	// Own is the listener's own: that of clients who name no host, or one that nobody
	// knows.
	Own *Config
	// Strict refuses TLS handshakes for names that no host has.
	Strict bool

	exact map[string]*Config
	wild  map[string]*Config // by what follows "*."
}

// Name gives a host a name, which CleanName has made or which is one behind "*.". It
// reports whether the name was free.
func (v *Virtual) Name(name string, host *Config) bool {
	if v.exact == nil {
		v.exact, v.wild = map[string]*Config{}, map[string]*Config{}
	}
	in := v.exact
	rest, wild := strings.CutPrefix(name, "*.")
	if wild {
		name, in = rest, v.wild
	}
	if in[name] != nil {
		return false
	}
	in[name] = host
	return true
}

// Find returns the host of a name in the form of CleanName, nil where no host has it. A
// name of its own comes before a wildcard, and a longer wildcard before a shorter one;
// the star stands for one label or more.
func (v *Virtual) Find(name string) *Config {
	if c := v.exact[name]; c != nil {
		return c
	}
	if len(v.wild) == 0 {
		return nil
	}
	for rest := name; ; {
		_, after, more := strings.Cut(rest, ".")
		if !more {
			return nil
		}
		if c := v.wild[after]; c != nil {
			return c
		}
		rest = after
	}
}

// listed reports whether the listener itself answers to a name or an address.
func (v *Virtual) listed(name string, local netip.Addr) bool {
	ip, err := netip.ParseAddr(plainAddress(name))
	return err == nil && ip == local || slices.ContainsFunc(v.Own.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// serves reports whether a TLS handshake for a name is done: dtp.Control.Serves.
func (v *Virtual) serves(local netip.Addr) func(string) bool {
	if v == nil || !v.Strict {
		return nil
	}
	return func(asked string) bool {
		name, err := CleanName(asked)
		return err == nil && v.Find(name) != nil || v.listed(asked, local)
	}
}

// errName says that a word is no name.
var errName = errors.New("neither a host name nor an address in brackets")

// maxName is how long a name may be that a client gives, before it is looked at: each of
// the 253 characters of a name in ASCII may have been four bytes.
const maxName = 4 * 253

// CleanName is the one form of a host's name: in ASCII (RFC 5891 §4), in lower case and
// without a dot at its end. It takes what HOST may give: a name, an IPv4 address, or an
// IPv6 address in brackets (RFC 7151 §3.1).
func CleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if len(name) > maxName || !utf8.ValidString(name) {
		return "", errName
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r > '~' }) {
		ascii, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", errName
		}
		name = ascii
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !hostName(name) {
		return "", errName
	}
	return name, nil
}

// hostName reports whether a word is a name, an IPv4 address or an IPv6 address
// in brackets (RFC 7151 §3.1).
func hostName(name string) bool {
	if inner, ok := strings.CutPrefix(name, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && addr.Is6() && addr.Zone() == "" && strings.HasSuffix(name, "]")
	}
	ok, _ := regexp.MatchString(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*$`, name)
	return ok && len(name) <= 253
}

// plainAddress is an address without the brackets that HOST gives it.
func plainAddress(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
}

// host is HOST (RFC 7151 §3): which of the server's names the client means. It must
// come before the login. In the clear it chooses the certificate of a handshake that
// names no server itself; under TLS it has to agree with what the handshake was for,
// because the connection can be made one to another host no longer (RFC 7151 §3.2).
func host(s *Session, a Args) Outcome {
	if s.rank.in {
		return Say(wire.CodeBadSequence, "HOST must come before the login.")
	}
	name, err := CleanName(a.Text)
	if err != nil {
		return Say(wire.CodeBadArgument, "That is neither a host name nor an address in brackets.")
	}
	to := s.meant(name)
	switch {
	case to == nil:
		return Say(wire.CodeBadParameter, "There is no such host here.")
	case s.who.TLS.Enabled() && !s.link.tls.Agrees(name):
		return Say(wire.CodeBadParameter, "The TLS handshake was for another host; connect anew for this one.")
	}
	s.who.Host = name
	s.belong(to)
	s.left.user = ""                         // a name that was meant for another host
	s.link.lang = s.conf.Languages.Default() // RFC 7151 §3.2: as if just connected
	if s.conf.VHost != "" {
		return Outcome{Reply: message(wire.CodeReady, s.conf.Banner)}
	}
	return Say(wire.CodeReady, "Welcome to %s.", name)
}

// meant is the host that HOST names, nil if there is none.
func (s *Session) meant(name string) *Config {
	v := s.conf.Virtual
	if v == nil {
		if len(s.conf.Hosts) == 0 || slices.ContainsFunc(s.conf.Hosts, func(h string) bool { return strings.EqualFold(h, name) }) {
			return s.conf
		}
		return nil
	}
	if c := v.Find(name); c != nil {
		return c
	}
	if v.listed(name, s.who.Local.Addr()) {
		return v.Own
	}
	return nil
}

// unnamed is the host of a session that has not said HOST: that of the name in its TLS
// handshake, or by default the listener's own.
func (s *Session) unnamed() *Config { return s.base.named(s.who.TLS.ServerName) }

// named is the host of a handshake for a name, which may be empty.
func (c *Config) named(asked string) *Config {
	if c.Virtual == nil {
		return c
	}
	if name, err := CleanName(asked); err == nil {
		if host := c.Virtual.Find(name); host != nil {
			return host
		}
	}
	return c.Virtual.Own
}

// belong makes the session, which nobody is logged in to, one of a host. Its failed
// logins and its time go on.
func (s *Session) belong(c *Config) {
	if c == s.conf {
		return
	}
	s.conf = c
	s.who.VHost = c.VHost
	s.view, s.asking = view{fs: c.FS, cwd: vfs.Root}, nil
	s.lease = s.lease.In(c.VHost)
}

// person is a user as the server's own lists know him: the same name at two hosts is
// that of two people. A client's name holds no NUL.
func (c *Config) person(user string) string {
	if c.VHost == "" {
		return user
	}
	return PersonOf(c.VHost, user)
}

// PersonOf is how a host's user is called in what all hosts share: Census, Turns,
// Defence, the Throttle and the owners of partial uploads.
func PersonOf(host, user string) string { return host + "\x00" + user }

// AllOf stands for all users of a host in the census, and for the host in the throttle.
func AllOf(host string) string { return "\x00" + host }

// share is the host's limit in the throttle, nil without a host.
func (c *Config) share(tree *throttle.Tree) *throttle.Node {
	if c.VHost == "" {
		return nil
	}
	return tree.Listener(AllOf(c.VHost))
}

// enter counts one more session of a user, unless he or the host has as many as may be.
// The reply is zero where it is counted.
func (c *Config) enter(user string, most int) wire.Reply {
	if c.VHost != "" && !c.Census.Enter(AllOf(c.VHost), c.PerHost) {
		return LimitSessions.Refuses(or(c.Replies.MaxSessions, wire.Say(wire.CodeNotAvailable, "Too many sessions; try again later.")))
	}
	if !c.Census.Enter(c.person(user), most) {
		if c.VHost != "" {
			c.Census.Leave(AllOf(c.VHost))
		}
		return LimitUser.Refuses(wire.Say(wire.CodeNotAvailable, "You have as many sessions as you may have."))
	}
	return wire.Reply{}
}

// leave undoes enter.
func (c *Config) leave(user string) {
	c.Census.Leave(c.person(user))
	if c.VHost != "" {
		c.Census.Leave(AllOf(c.VHost))
	}
}
