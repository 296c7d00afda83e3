// Package users is a policy that knows users: their names, stored password hashes and
// permissions, of a fixed list and of sources that may change while it is asked (access
// control commands of RFC 959 §4.1.1: USER and PASS).
//
// It never sees whether a password is right. It answers with the stored hash,
// and the server verifies it.
package users

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Config is what a [Policy] is made of. The zero value knows nobody.
type Config struct {
	// Name of the policy in events; empty is "users".
	Name string
	// Users are a fixed list, which is asked before Sources.
	Users []User
	// Sources are asked in their order; the first that knows a name decides about it.
	Sources []Source
	// Alone refuses names that are in none of them, whatever other policies say, but for
	// those of Beside.
	Alone  bool
	Beside []string
	// Seen is told of logins that were let in, also by other policies, after them and not
	// in their goroutine; nil is nobody. It must not block.
	Seen func(user string, at time.Time)
}

// Source finds users by their names, as things stand at that moment: what has changed
// holds for the next login. It is used by many goroutines, and must not block.
type Source interface {
	// Find returns the user of that name, compared byte by byte. What it returns must not
	// be changed afterwards, by either side.
	Find(name string) (User, bool)
}

// List is a fixed list of users. It is a [Source]; the zero value is empty.
type List struct{ users map[string]User }

// NewList returns a list. The error names the entry that has no name, no password hash and
// no certificate, a name that was given before, a name that no USER command can carry, or
// a relative home.
func NewList(list []User) (List, error) {
	l := List{make(map[string]User, len(list))}
	for i, u := range list {
		if _, known := l.users[u.Name]; known {
			return List{}, fmt.Errorf("user %d: %q is given twice", i+1, u.Name)
		}
		if err := u.Check(); err != nil {
			return List{}, fmt.Errorf("user %d: %w", i+1, err)
		}
		u.Rules = slices.Clone(u.Rules)
		u.Certificates = slices.Clone(u.Certificates)
		u.Networks = slices.Clone(u.Networks)
		u.DenyNetworks = slices.Clone(u.DenyNetworks)
		l.users[u.Name] = u
	}
	return l, nil
}

// Find implements [Source].
func (l List) Find(name string) (User, bool) {
	u, known := l.users[name]
	return u, known
}

// User is one entry of the list. Name is required, and PasswordHash or a
// certificate.
type User struct {
	// Name is compared byte by byte with what USER brought.
	Name string
	// PasswordHash is a stored hash that the server can verify: argon2id in PHC
	// form, or bcrypt.
	PasswordHash string
	// Certificates are the SHA-256 digests, in hex, of client certificates that
	// need no password (RFC 4217 §11). Each was verified against the listener's
	// authorities before it is compared.
	Certificates []string
	// Lenient lets the user's old clients off what TLS otherwise asks of them.
	Lenient policy.Lenience
	// Perms is what the user may do. The zero value permits nothing.
	Perms policy.Perms
	// Rules override Perms in single directories.
	Rules []policy.PathRule
	// Home is the virtual directory in which sessions start; empty is "/".
	Home string
	// Group that other policies and events see, or empty.
	Group string
	// Limits narrow every transfer of the user; zero fields do not limit.
	Limits policy.Limits
	// MaxSessions is how many sessions the user may have, 0 no limit.
	MaxSessions int
	// Expires is when the user ceases to be known; zero never.
	Expires time.Time
	// MsgLogin and MsgQuit replace the server's words at 230 and 221; empty
	// leaves them.
	MsgLogin, MsgQuit string
	// Networks are where the user may log in from; empty is anywhere. A login from
	// elsewhere is refused in the words and the time of a wrong password.
	Networks []netip.Prefix
	// DenyNetworks are where the user may not log in from, also where Networks has it; such a
	// login is refused likewise.
	DenyNetworks []netip.Prefix
	// TLS is what the user's control connection must have, beside what its listener asks
	// for. One that has it not is refused like a login from elsewhere.
	TLS Protection
	// Disabled has the user's logins refused, in the words and the time of a wrong
	// password, whatever other policies say.
	Disabled bool
}

// Protection is what TLS on a control connection must be. The zero value asks for nothing.
type Protection struct {
	Required    bool   // there must be TLS; so it must with either of the others
	MinVersion  string // "1.2" or "1.3", the least; empty is any
	Certificate bool   // the client has shown one that was verified
}

// Any reports whether there must be TLS.
func (p Protection) Any() bool { return p != Protection{} }

// lacks says what a control connection does not have, empty for nothing.
func (p Protection) lacks(tls policy.TLS) string {
	switch {
	case p.Any() && !tls.Enabled():
		return "must use TLS"
	case tls.Version < p.MinVersion: // "1.2" and "1.3" are in order as texts
		return "must use TLS " + p.MinVersion + ", and came with " + tls.Version
	case p.Certificate && tls.ClientSHA256 == "":
		return "must show a client certificate"
	}
	return ""
}

// bars says why a user may not log in over a session's control connection, for the
// operator; empty is that he may.
func (u *User) bars(s *policy.Session) string {
	if lacks := u.TLS.lacks(s.TLS); lacks != "" {
		return fmt.Sprintf("the user %q %s", u.Name, lacks)
	}
	return ""
}

// Policy answers logins from its sources. It is a [policy.Policy] that takes part in the
// auth stage, and in that of events where somebody wants to know of logins. It is
// immutable.
type Policy struct {
	name    string
	sources []Source
	alone   bool
	beside  []string
	seen    func(string, time.Time)
}

// New returns the policy of config. The error is that of [NewList] for its Users.
func New(config Config) (*Policy, error) {
	list, err := NewList(config.Users)
	if err != nil {
		return nil, err
	}
	p := &Policy{name: config.Name, sources: config.Sources, alone: config.Alone, beside: slices.Clone(config.Beside), seen: config.Seen}
	if len(config.Users) > 0 {
		p.sources = append([]Source{list}, p.sources...)
	} else {
		p.sources = slices.Clone(p.sources)
	}
	if p.name == "" {
		p.name = "users"
	}
	return p, nil
}

// Check reports what keeps a user from being one: no name, one that no USER command can
// carry, neither a password hash nor a certificate, a relative home, a network that is
// none, or a version of TLS that is none.
func (u User) Check() error {
	switch {
	case u.Name == "":
		return errors.New("the name is empty")
	case strings.ContainsAny(u.Name, "\r\n\x00"):
		return fmt.Errorf("%q holds a line end or NUL, which no USER command can carry", u.Name)
	case u.PasswordHash == "" && len(u.Certificates) == 0:
		return fmt.Errorf("%q has no password hash and no certificate", u.Name)
	case slices.ContainsFunc(u.Certificates, func(c string) bool { return !digest(c) }):
		return fmt.Errorf("%q: a certificate is named by 64 hexadecimal digits, its SHA-256", u.Name)
	case slices.ContainsFunc(slices.Concat(u.Networks, u.DenyNetworks), func(n netip.Prefix) bool { return !n.IsValid() || n.Addr().Is4In6() }):
		return fmt.Errorf("%q: one of the networks is none, or an IPv4 network in IPv6's form", u.Name)
	case !slices.Contains([]string{"", "1.2", "1.3"}, u.TLS.MinVersion):
		return fmt.Errorf("%q: TLS %q is not a version; 1.2 and 1.3 are", u.Name, u.TLS.MinVersion)
	case u.Home != "" && !strings.HasPrefix(u.Home, "/"):
		return fmt.Errorf("%q: home %q does not begin with /", u.Name, u.Home)
	}
	return nil
}

func digest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size
}

// Name implements [policy.Policy].
func (p *Policy) Name() string { return p.name }

// Hooks implements [policy.Policy].
func (p *Policy) Hooks() policy.Hooks {
	h := policy.Hooks{Authenticator: p}
	if p.seen != nil {
		h.Observer, h.Interest = p, policy.Interest{Events: []policy.EventKind{policy.EventLogin}}
	}
	return h
}

// find asks the sources in their order.
func (p *Policy) find(name string) (User, bool) {
	for _, s := range p.sources {
		if u, known := s.Find(name); known {
			return u, true
		}
	}
	return User{}, false
}

// stranger is the answer about a name that is in no source. The server takes as long for
// either as for a wrong password.
func (p *Policy) stranger(name string) policy.Identity {
	if p.alone && !slices.Contains(p.beside, name) {
		return policy.Identity{Verdict: policy.Deny}
	}
	return policy.Identity{}
}

// Authenticate implements [policy.Authenticator]. It has no opinion on a name it
// does not know, or that has expired, nor on one without a password that has not shown
// its certificate. It refuses who is disabled, who comes without the
// TLS that he must have, and where it stands alone, names that it
// does not know. It allows a user whose certificate it knows, and any other with the stored hash,
// which the server verifies. It never fails.
func (p *Policy) Authenticate(_ context.Context, login *policy.Login) (policy.Identity, error) {
	u, known := p.find(login.Session.User)
	if !known {
		return p.stranger(login.Session.User), nil
	}
	if u.Disabled {
		return policy.Identity{Verdict: policy.Deny}, nil
	}
	if !u.Expires.IsZero() && !login.Time.Before(u.Expires) {
		return policy.Identity{}, nil
	}
	if why := u.bars(login.Session); why != "" {
		return policy.Identity{Verdict: policy.Deny, Reason: why}, nil
	}
	hash := u.PasswordHash
	if shown := login.Session.TLS.ClientSHA256; slices.ContainsFunc(u.Certificates, func(c string) bool { return strings.EqualFold(c, shown) }) {
		hash = ""
	} else if hash == "" {
		return policy.Identity{}, nil
	}
	perms := u.Perms
	return policy.Identity{
		Networks:     u.Networks,
		DenyNetworks: u.DenyNetworks,
		Verdict:      policy.Allow,
		PasswordHash: hash,
		Lenient:      u.Lenient,
		Perms:        &perms,
		Rules:        slices.Clone(u.Rules),
		Home:         u.Home,
		Group:        u.Group,
		Limits:       u.Limits,
		MaxSessions:  u.MaxSessions,
		Expires:      u.Expires,
		MsgLogin:     u.MsgLogin,
		MsgQuit:      u.MsgQuit,
	}, nil
}

// Observe implements [policy.Observer]: it tells of logins. It never fails.
func (p *Policy) Observe(_ context.Context, e *policy.Event) error {
	if e.Kind == policy.EventLogin && !e.Shadow {
		p.seen(e.Session.User, e.Time)
	}
	return nil
}
