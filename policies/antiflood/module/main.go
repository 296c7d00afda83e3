// Module is policies/antiflood as a module. Settings, all optional; a count of zero
// is the default, below zero it is no limit:
//
//	{"failures": 10, "network_failures": 100, "user_failures": 20,
//	 "window_seconds": 600, "ban_seconds": 1800, "pause_seconds": 5,
//	 "session_commands": 300, "address_commands": 1000, "flood_ban": false}
//
// It needs the capability kv. A new ban is a line of log.
package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/auth"
	"github.com/edgeftp/edgeftp/guest-sdk/go/cmd"
	"github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/kv"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/policies/antiflood"
)

type module struct{ policy *antiflood.Policy }

func init() {
	m := &module{}
	edgeftp.Configure(m.configure)
	auth.Export(m)
	cmd.Export(m)
	event.Export(m)
}

func main() {}

func (m *module) configure(b []byte) error {
	config, err := parse(b)
	if err == nil {
		config.KV, config.Banned = kv.Open(), banned
		m.policy, err = antiflood.New(config)
	}
	return err
}

func banned(who netip.Prefix, until time.Time, why string) {
	edgeftp.Log(edgeftp.Warn, "banned "+who.String()+" until "+until.UTC().Format(time.RFC3339)+": "+why)
}

// Authenticate implements [policy.Authenticator].
func (m *module) Authenticate(ctx context.Context, login *policy.Login) (policy.Identity, error) {
	return m.policy.Authenticate(ctx, login)
}

// Command implements [policy.Commander].
func (m *module) Command(ctx context.Context, c *policy.Command) (policy.Answer, error) {
	return m.policy.Command(ctx, c)
}

// Observe implements [policy.Observer].
func (m *module) Observe(ctx context.Context, e *policy.Event) error { return m.policy.Observe(ctx, e) }

// parse reads the settings.
func parse(b []byte) (antiflood.Config, error) {
	s := settings.Parse(b)
	seconds := func(key string) time.Duration { return time.Duration(s.Int(key, 0)) * time.Second }
	count := func(key string) int { return int(s.Int(key, 0)) }
	return antiflood.Config{Failures: count("failures"), NetworkFailures: count("network_failures"), UserFailures: count("user_failures"),
		Window: seconds("window_seconds"), Ban: seconds("ban_seconds"), Pause: seconds("pause_seconds"),
		SessionCommands: count("session_commands"), AddressCommands: count("address_commands"), FloodBan: s.Bool("flood_ban", false)}, s.Err()
}
