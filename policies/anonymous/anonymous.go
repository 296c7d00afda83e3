// Package anonymous is a policy that lets anybody in under the name "anonymous",
// with any password, to read (the custom that RFC 1635 describes).
package anonymous

import (
	"context"
	"fmt"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// User is the one name that the policy lets in. It is compared byte by byte.
const User = "anonymous"

// Config is what a [Policy] is made of. The zero value lets anonymous users
// read everything and change nothing.
type Config struct {
	// Name of the policy in events; empty is "anonymous".
	Name string
	// Perms is what anonymous users may do; the zero value is read-only
	// (policy.PermReadOnly). Letters that change something need AllowWrite.
	Perms policy.Perms
	// AllowWrite permits Perms to hold letters that change something.
	AllowWrite bool
	// Home is the virtual directory in which sessions start; empty is "/".
	Home string
	// Limits narrow every transfer; zero fields do not limit.
	Limits policy.Limits
	// MaxSessions is how many anonymous sessions there may be, 0 no limit.
	MaxSessions int
	// MsgLogin and MsgQuit replace the server's words at 230 and 221; empty
	// leaves them.
	MsgLogin, MsgQuit string
}

// Policy answers anonymous logins. It is a [policy.Policy] that takes part in the
// auth stage alone, and immutable.
type Policy struct {
	config Config
}

// New returns the policy of config. The error names the permission letters that
// need AllowWrite, or a relative home.
func New(config Config) (*Policy, error) {
	if config.Name == "" {
		config.Name = "anonymous"
	}
	if config.Perms == 0 {
		config.Perms = policy.PermReadOnly
	}
	if changing := config.Perms &^ policy.PermReadOnly; changing != 0 && !config.AllowWrite {
		return nil, fmt.Errorf("anonymous users may not have the permissions %q unless writing is allowed", changing)
	}
	if config.Home != "" && !strings.HasPrefix(config.Home, "/") {
		return nil, fmt.Errorf("home %q does not begin with /", config.Home)
	}
	return &Policy{config: config}, nil
}

// Name implements [policy.Policy].
func (p *Policy) Name() string { return p.config.Name }

// Hooks implements [policy.Policy].
func (p *Policy) Hooks() policy.Hooks { return policy.Hooks{Authenticator: p} }

// Authenticate implements [policy.Authenticator]. It allows the user "anonymous"
// whatever the password, and has no opinion on any other. It never fails.
func (p *Policy) Authenticate(_ context.Context, login *policy.Login) (policy.Identity, error) {
	if login.Session.User != User {
		return policy.Identity{}, nil
	}
	perms := p.config.Perms
	return policy.Identity{
		Verdict:     policy.Allow,
		Anonymous:   true,
		Perms:       &perms,
		Home:        p.config.Home,
		Limits:      p.config.Limits,
		MaxSessions: p.config.MaxSessions,
		MsgLogin:    p.config.MsgLogin,
		MsgQuit:     p.config.MsgQuit,
	}, nil
}
