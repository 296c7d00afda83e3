package main

import (
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"reflect"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/accesslog"
	"github.com/edgeftp/edgeftp/policies/antiflood"
	"github.com/edgeftp/edgeftp/policies/metrics"
	"github.com/edgeftp/edgeftp/policies/quota"
)

// flood makes the policy that bounds how fast commands come, nil where nothing does.
func (in *generation) flood() (policy.Policy, error) {
	l := &in.conf.Limits
	if l.Commands == 0 && l.CommandsPerIP == 0 {
		return nil, nil
	}
	space, err := in.store.Space("native/antiflood", 0)
	if err != nil {
		return nil, err
	}
	// Failed logins are the defender's.
	return antiflood.New(antiflood.Config{KV: space, Failures: -1, NetworkFailures: -1, UserFailures: -1,
		SessionCommands: unlimited(l.Commands), AddressCommands: unlimited(l.CommandsPerIP)})
}

// quotas are what the policy on quotas is made of.
func (in *generation) quotas(conf *config.Config) any {
	return []any{conf.Defaults.Quota, conf.Groups, in.peopleOf(conf).made()}
}

// quota makes the policy that bounds what the users of a configuration store, nil where
// nobody is limited, and nobody can be while the server runs. slot is the policy's, under
// which it remembers.
func (in *generation) quota(conf *config.Config, slot string) (policy.Policy, error) {
	people := in.peopleOf(conf)
	if !conf.HasQuota() && !people.mayChange() {
		return nil, nil
	}
	space, err := in.store.Space("native/"+slot, 16<<20)
	if err != nil {
		return nil, err
	}
	c := quota.Config{KV: space, Each: quotaLimits(&conf.Defaults.Quota), Lookup: people.quota, Unlimited: people.unlimited(), Groups: map[string]quota.Limits{}}
	for i := range conf.Groups {
		c.Groups[conf.Groups[i].Name] = quotaLimits(&conf.Groups[i].Quota)
	}
	return quota.New(c)
}

// access makes the log of transfers, nil without one.
func (in *generation) access() (policy.Policy, error) {
	a := &in.conf.AccessLog
	if a.File == "" {
		return nil, nil
	}
	return accesslog.Open(a.File, accesslog.Config{Format: accesslog.Format(a.Format), Commands: a.Commands, Show: in.hide.Event})
}

// figures makes the policy that counts, nil where nobody shows what it has counted.
func (in *generation) figures() (policy.Policy, error) {
	if in.conf.Metrics.Listen == "" {
		return nil, nil
	}
	m, err := metrics.New(metrics.Config{Process: true})
	if err != nil {
		return nil, err
	}
	return m, m.Add(metrics.SourceFunc(in.collect))
}

// native is a policy of the server's own, and what it is made of.
type native struct {
	policy policy.Policy // nil where there is none
	of     any
}

// native adds a policy of the server's own, if there is one. Made of the same it is that of
// the generation before, with all that it has counted.
func (in *generation) native(slots []edge.Slot, name string, of any, make func() (policy.Policy, error)) ([]edge.Slot, error) {
	p, err := policy.Policy(nil), error(nil)
	if b := in.before; b != nil && reflect.DeepEqual(b.natives[name].of, of) {
		p = b.natives[name].policy
	} else {
		p, err = make()
	}
	if err != nil {
		return slots, err
	}
	in.natives[name] = native{p, of}
	if p == nil {
		return slots, nil
	}
	return append(slots, edge.Slot{Name: name, Policy: p}), nil
}
