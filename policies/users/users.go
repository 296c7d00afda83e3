// Package users is a policy that knows a fixed list of users: the names, stored
// password hashes and permissions of the configuration (access control commands
// of RFC 959 §4.1.1: USER and PASS).
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
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Config is what a [Policy] is made of. The zero value knows nobody.
type Config struct {
	// Name of the policy in events; empty is "users".
	Name  string
	Users []User
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
}

// Policy answers logins from its list. It is a [policy.Policy] that takes part in
// the auth stage alone, and immutable.
type Policy struct {
	name  string
	users map[string]User
}

// New returns the policy of config. The error names the entry that has no name,
// no password hash, a name that was given before, a name that no USER command
// can carry, or a relative home.
func New(config Config) (*Policy, error) {
	p := &Policy{name: config.Name, users: make(map[string]User, len(config.Users))}
	if p.name == "" {
		p.name = "users"
	}
	for i, u := range config.Users {
		if _, known := p.users[u.Name]; known {
			return nil, fmt.Errorf("user %d: %q is given twice", i+1, u.Name)
		}
		if err := u.check(); err != nil {
			return nil, fmt.Errorf("user %d: %w", i+1, err)
		}
		u.Rules = slices.Clone(u.Rules)
		u.Certificates = slices.Clone(u.Certificates)
		p.users[u.Name] = u
	}
	return p, nil
}

func (u User) check() error {
	switch {
	case u.Name == "":
		return errors.New("the name is empty")
	case strings.ContainsAny(u.Name, "\r\n\x00"):
		return fmt.Errorf("%q holds a line end or NUL, which no USER command can carry", u.Name)
	case u.PasswordHash == "" && len(u.Certificates) == 0:
		return fmt.Errorf("%q has no password hash and no certificate", u.Name)
	case slices.ContainsFunc(u.Certificates, func(c string) bool { return !digest(c) }):
		return fmt.Errorf("%q: a certificate is named by 64 hexadecimal digits, its SHA-256", u.Name)
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
func (p *Policy) Hooks() policy.Hooks { return policy.Hooks{Authenticator: p} }

// Authenticate implements [policy.Authenticator]. It has no opinion on a name it
// does not know, or that has expired, nor on one without a password that has not
// shown its certificate. It allows a user whose certificate it knows, and any
// other with the stored hash, which the server verifies. It never fails.
func (p *Policy) Authenticate(_ context.Context, login *policy.Login) (policy.Identity, error) {
	u, known := p.users[login.Session.User]
	if !known || !u.Expires.IsZero() && !login.Time.Before(u.Expires) {
		return policy.Identity{}, nil
	}
	hash := u.PasswordHash
	if shown := login.Session.TLS.ClientSHA256; slices.ContainsFunc(u.Certificates, func(c string) bool { return strings.EqualFold(c, shown) }) {
		hash = ""
	} else if hash == "" {
		return policy.Identity{}, nil
	}
	perms := u.Perms
	return policy.Identity{
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
