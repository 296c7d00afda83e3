// Module is policies/users as a module: a fixed list of users, as settings.
//
//	{"users": [{
//	  "name": "anna",
//	  "password_hash": "$argon2id$...",
//	  "certificates": ["64 hexadecimal digits"],
//	  "perm": "elradfmw",
//	  "rules": [{"dir": "/in", "perm": "w", "recursive": true}],
//	  "home": "/home", "group": "staff",
//	  "bandwidth": {"down": 1000000, "up": 0},
//	  "max_file_size": 0, "data_tls": true, "max_sessions": 3,
//	  "expires": "2027-01-01T00:00:00Z",
//	  "networks": ["10.0.0.0/8"],
//	  "tls": {"session_reuse": true, "close_notify": true, "required": true, "min_version": "1.3", "client_certificate": true},
//	  "msg_login": "Good day.", "msg_quit": "Bye."
//	}]}
//
// Sizes are in bytes, bandwidths in bytes per second, zero is no limit. The first two keys
// of tls are what the user's clients must do, which is everything unless false; the others
// ask for more than the listener does. Unlike
// those of the native form, the messages are of one line and at most 512 bytes.
package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/auth"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

type module struct{ policy *users.Policy }

func init() {
	m := &module{}
	edgeftp.Configure(m.configure)
	auth.Export(m)
}

func main() {}

func (m *module) configure(b []byte) error {
	config, err := parse(b)
	if err != nil {
		return err
	}
	if m.policy, err = users.New(config); err != nil {
		return err
	}
	for _, u := range config.Users {
		if err := m.carries(u); err != nil {
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
	}
	return nil
}

// carries reports whether the answer to a user's login can be told to the server:
// a module's texts are of one line, and bounded. What cannot be is refused at load.
func (m *module) carries(u users.User) error {
	s := &policy.Session{User: u.Name}
	if u.TLS.Any() {
		s.TLS = policy.TLS{Version: "1.3", ClientSHA256: strings.Repeat("0", 64)}
	}
	if len(u.Certificates) > 0 {
		s.TLS.ClientSHA256 = u.Certificates[0]
	}
	id, err := m.policy.Authenticate(context.Background(), &policy.Login{Meta: policy.Meta{Session: s}})
	if err == nil {
		id.PasswordHash = u.PasswordHash
		_, _, err = abi.AppendIdentity(nil, &id)
	}
	return err
}

// Authenticate implements [policy.Authenticator].
func (m *module) Authenticate(ctx context.Context, login *policy.Login) (policy.Identity, error) {
	return m.policy.Authenticate(ctx, login)
}

// parse reads the settings.
func parse(b []byte) (users.Config, error) {
	s := settings.Parse(b)
	var config users.Config
	for i, o := range s.Objects("users") {
		u, err := user(o)
		if err != nil {
			return users.Config{}, fmt.Errorf("setting \"users[%d]\": %w", i, err)
		}
		config.Users = append(config.Users, u)
	}
	return config, s.Err()
}

func user(o *settings.Settings) (users.User, error) {
	u := users.User{Name: o.String("name", ""), PasswordHash: o.String("password_hash", ""), Certificates: o.Strings("certificates"),
		Home: o.String("home", ""), Group: o.String("group", ""), MaxSessions: int(o.Int("max_sessions", 0)),
		MsgLogin: o.String("msg_login", ""), MsgQuit: o.String("msg_quit", "")}
	bandwidth, tls := o.Object("bandwidth"), o.Object("tls")
	u.Limits = policy.Limits{RateDown: bandwidth.Int("down", 0), RateUp: bandwidth.Int("up", 0),
		MaxFileSize: o.Int("max_file_size", 0), DataTLS: o.Bool("data_tls", false)}
	u.Lenient = policy.Lenience{Resumption: !tls.Bool("session_reuse", true), CloseNotify: !tls.Bool("close_notify", true)}
	u.TLS = users.Protection{Required: tls.Bool("required", false), MinVersion: tls.String("min_version", ""), Certificate: tls.Bool("client_certificate", false)}
	var err error
	for _, n := range o.Strings("networks") {
		p, err := netip.ParsePrefix(n)
		if err != nil || p != p.Masked() {
			return u, fmt.Errorf("network %q is none: write it like 10.0.0.0/8", n)
		}
		u.Networks = append(u.Networks, p)
	}
	if u.Perms, err = policy.ParsePerms(o.String("perm", "")); err != nil {
		return u, err
	}
	for _, r := range o.Objects("rules") {
		rule := policy.PathRule{Dir: r.String("dir", ""), Recursive: r.Bool("recursive", false)}
		if rule.Perms, err = policy.ParsePerms(r.String("perm", "")); err != nil {
			return u, err
		}
		u.Rules = append(u.Rules, rule)
	}
	if expires := o.String("expires", ""); expires != "" {
		u.Expires, err = time.Parse(time.RFC3339, expires)
	}
	return u, err
}
