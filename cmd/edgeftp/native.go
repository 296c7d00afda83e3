package main

import (
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/accesslog"
	"github.com/edgeftp/edgeftp/policies/antiflood"
	"github.com/edgeftp/edgeftp/policies/metrics"
	"github.com/edgeftp/edgeftp/policies/quota"
)

// flood makes the policy that bounds how fast commands come, nil where nothing does.
func (in *instance) flood() (policy.Policy, error) {
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

// quota makes the policy that bounds what is stored, nil where nobody is limited, and
// nobody can be while the server runs.
func (in *instance) quota() (policy.Policy, error) {
	if !in.conf.HasQuota() && !in.people.mayChange() {
		return nil, nil
	}
	space, err := in.store.Space("native/quota", 16<<20)
	if err != nil {
		return nil, err
	}
	c := quota.Config{KV: space, Each: quotaLimits(&in.conf.Defaults.Quota), Lookup: in.people.quota, Groups: map[string]quota.Limits{}}
	for i := range in.conf.Groups {
		c.Groups[in.conf.Groups[i].Name] = quotaLimits(&in.conf.Groups[i].Quota)
	}
	meter, err := quota.New(c)
	if err != nil {
		return nil, err
	}
	in.accounts.show(in.conf, meter)
	return meter, nil
}

// access makes the log of transfers, nil without one.
func (in *instance) access() (policy.Policy, error) {
	a := &in.conf.AccessLog
	if a.File == "" {
		return nil, nil
	}
	return accesslog.Open(a.File, accesslog.Config{Format: accesslog.Format(a.Format), Commands: a.Commands})
}

// figures makes the policy that counts, nil where nobody shows what it has counted.
func (in *instance) figures() (policy.Policy, error) {
	if in.conf.Metrics.Listen == "" {
		return nil, nil
	}
	m, err := metrics.New(metrics.Config{Process: true})
	if err != nil {
		return nil, err
	}
	in.metrics = m
	return m, m.Add(metrics.SourceFunc(in.collect))
}

// native adds a policy of the server's own, if there is one.
func native(slots []edge.Slot, name string, make func() (policy.Policy, error)) ([]edge.Slot, error) {
	p, err := make()
	if err != nil || p == nil {
		return slots, err
	}
	return append(slots, edge.Slot{Name: name, Policy: p}), nil
}
