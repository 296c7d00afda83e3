// Module is policies/anonymous as a module: anybody may log in as "anonymous".
// Settings, all optional:
//
//	{"perm": "elr", "allow_write": false, "home": "/pub", "max_sessions": 10,
//	 "bandwidth": {"down": 1000000, "up": 0}, "max_file_size": 0, "data_tls": false,
//	 "msg_login": "Good day.", "msg_quit": "Bye."}
//
// Sizes are in bytes, bandwidths in bytes per second, zero is no limit. Unlike those
// of the native form, the messages are of one line and at most 512 bytes.
package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/auth"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

type module struct{ policy *anonymous.Policy }

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
	if m.policy, err = anonymous.New(config); err != nil {
		return err
	}
	return m.carries()
}

// carries reports whether the answer to a login can be told to the server: a
// module's texts are of one line, and bounded. What cannot be is refused at load.
func (m *module) carries() error {
	login := &policy.Login{Meta: policy.Meta{Session: &policy.Session{User: anonymous.User}}}
	id, err := m.policy.Authenticate(context.Background(), login)
	if err == nil {
		_, _, err = abi.AppendIdentity(nil, &id)
	}
	return err
}

// Authenticate implements [policy.Authenticator].
func (m *module) Authenticate(ctx context.Context, login *policy.Login) (policy.Identity, error) {
	return m.policy.Authenticate(ctx, login)
}

// parse reads the settings.
func parse(b []byte) (anonymous.Config, error) {
	s := settings.Parse(b)
	bandwidth := s.Object("bandwidth")
	perms, err := policy.ParsePerms(s.String("perm", ""))
	if err != nil {
		return anonymous.Config{}, err
	}
	return anonymous.Config{Perms: perms, AllowWrite: s.Bool("allow_write", false), Home: s.String("home", ""),
		Limits: policy.Limits{RateDown: bandwidth.Int("down", 0), RateUp: bandwidth.Int("up", 0),
			MaxFileSize: s.Int("max_file_size", 0), DataTLS: s.Bool("data_tls", false)},
		MaxSessions: int(s.Int("max_sessions", 0)), MsgLogin: s.String("msg_login", ""), MsgQuit: s.String("msg_quit", "")}, s.Err()
}
