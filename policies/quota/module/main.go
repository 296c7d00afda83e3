// Module is policies/quota as a module. Settings, all optional:
//
//	{"each": {"bytes": 1000000000, "files": 10000,
//	          "day_bytes": 0, "day_files": 0, "month_bytes": 0, "month_files": 0},
//	 "users": {"anna": {"bytes": 5000000000}, "operator": {}},
//	 "groups": {"staff": {"bytes": 50000000000}}}
//
// Zero is no limit. It needs the capability kv.
package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
	"github.com/edgeftp/edgeftp/guest-sdk/go/kv"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/guest-sdk/go/site"
	"github.com/edgeftp/edgeftp/policies/quota"
)

type module struct{ policy *quota.Policy }

func init() {
	m := &module{}
	edgeftp.Configure(m.configure)
	fs.Export(m)
	event.Export(m)
	site.Export(m)
}

func main() {}

func (m *module) configure(b []byte) error {
	config, err := parse(b)
	if err == nil {
		config.KV = kv.Open()
		m.policy, err = quota.New(config)
	}
	return err
}

// Authorize implements [policy.Authorizer].
func (m *module) Authorize(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	return m.policy.Authorize(ctx, a)
}

// Observe implements [policy.Observer].
func (m *module) Observe(ctx context.Context, e *policy.Event) error { return m.policy.Observe(ctx, e) }

// SiteCommands implements [policy.SiteCommander]. The manifest says the same.
func (m *module) SiteCommands() []policy.SiteCommand { return m.policy.SiteCommands() }

// CallSite implements [policy.SiteCommander].
func (m *module) CallSite(ctx context.Context, call *policy.SiteCall) (policy.SiteReply, error) {
	return m.policy.CallSite(ctx, call)
}

// parse reads the settings.
func parse(b []byte) (quota.Config, error) {
	s := settings.Parse(b)
	config := quota.Config{Each: limits(s.Object("each")), Users: map[string]quota.Limits{}, Groups: map[string]quota.Limits{}}
	for key, to := range map[string]map[string]quota.Limits{"users": config.Users, "groups": config.Groups} {
		all := s.Object(key)
		for _, name := range all.Keys() {
			to[name] = limits(all.Object(name))
		}
	}
	return config, s.Err()
}

func limits(o *settings.Settings) quota.Limits {
	return quota.Limits{Bytes: o.Int("bytes", 0), Files: o.Int("files", 0), DayBytes: o.Int("day_bytes", 0), DayFiles: o.Int("day_files", 0),
		MonthBytes: o.Int("month_bytes", 0), MonthFiles: o.Int("month_files", 0)}
}
