// Module is policies/accesslog as a module: a line of log for each transfer. The
// server cuts a line at 1,024 bytes and drops what a policy writes beyond 50 lines a
// second, so where every line counts the policy is linked natively and writes to a file.
// Settings, all optional:
//
//	{"format": "xferlog", "commands": false}
//
// The other formats are "common" and "json".
package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/policies/accesslog"
)

type module struct{ policy *accesslog.Log }

func init() {
	m := &module{}
	edgeftp.Configure(m.configure)
	event.Export(m)
}

func main() {}

func (m *module) configure(b []byte) error {
	config, err := parse(b)
	if err == nil {
		config.Sink = sink
		m.policy, err = accesslog.New(config)
	}
	return err
}

// sink writes to the server's log.
func sink(line []byte) error {
	edgeftp.Log(edgeftp.Info, string(line))
	return nil
}

// Observe implements [policy.Observer].
func (m *module) Observe(ctx context.Context, e *policy.Event) error { return m.policy.Observe(ctx, e) }

// parse reads the settings.
func parse(b []byte) (accesslog.Config, error) {
	s := settings.Parse(b)
	return accesslog.Config{Format: accesslog.Format(s.String("format", "")), Commands: s.Bool("commands", false)}, s.Err()
}
