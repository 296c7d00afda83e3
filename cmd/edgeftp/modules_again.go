package main

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// placed is a module in a configuration.
type placed struct {
	conf   *config.Module
	made   *candidate   // nil: what the slot has stays
	source trust.Digest // of what the source gave
}

// moduleAgain is module for a slot that the generation before has. What its source gives
// is looked at again, but for a directory: that is built when it changes, or at a start.
//
// A module stays, with its instances, its state and its counters, where neither that nor
// what the configuration says about it has changed; so one stays that was swapped in while
// the server ran. With other settings, limits or grants the module that runs is loaded anew.
// The caller holds modules.swapping.
func (in *generation) moduleAgain(ctx context.Context, conf *config.Module, s *slot) (edge.Slot, error) {
	m := in.modules
	failed := func(err error) (edge.Slot, error) {
		return edge.Slot{}, fmt.Errorf("policy %q (%s): %w", conf.Name, conf.Source, err)
	}
	p := placed{conf: conf, source: s.source}
	var o offer
	if !isDir(conf.Source) {
		offered, _, err := in.read(ctx, conf)
		if err != nil {
			return failed(err)
		}
		o, p.source = offer{Module: offered}, trust.Sum(offered.Module)
		if p.source == s.source || p.source == s.now.accepted.Digest { // signed or pinned otherwise, perhaps
			if _, err := m.rules.Check(conf.Name, offered.Module, offered.Signature); err != nil {
				return failed(err)
			}
		}
	}
	unchanged := p.source == s.source || p.source == s.now.accepted.Digest
	switch {
	case unchanged && alikeModules(s.conf, conf):
		in.placed = append(in.placed, p)
		return edge.Slot{Name: conf.Name, Policy: s.now.policy, Options: m.options(conf)}, nil
	case unchanged:
		running, err := m.running(s)
		if err != nil {
			return failed(err)
		}
		o = *running
	}
	c, err := m.prepare(ctx, conf, o)
	if err != nil {
		return failed(err)
	}
	p.made = c
	in.placed = append(in.placed, p)
	return edge.Slot{Name: conf.Name, Policy: c.policy, Options: m.options(conf)}, nil
}

// alikeModules reports whether two configurations say the same about a module, wherever it
// is from.
func alikeModules(a, b *config.Module) bool {
	x, y := *a, *b
	for _, m := range []*config.Module{&x, &y} {
		m.Source, m.Signature, m.Digest, m.WatchSource, m.Unwatched = "", "", "", false, ""
	}
	return reflect.DeepEqual(x, y)
}

// running offers the module that a slot has, which was accepted before.
func (m *modules) running(s *slot) (*offer, error) {
	bytes, err := m.ledger.Module(s.now.accepted.Digest)
	if err != nil {
		return nil, err
	}
	o := &offer{Module: &control.Module{Name: s.conf.Name, Module: bytes, Source: s.now.accepted.Source}}
	for _, e := range m.ledger.History(s.conf.Name) {
		if e.Digest == s.now.accepted.Digest {
			o.back = &e
			break
		}
	}
	return o, nil
}

// follow takes over what a generation that is in force has placed. The caller holds
// swapping.
func (m *modules) follow(g *generation, base control.Status) {
	next := map[string]*slot{}
	var fresh []placed
	m.mu.Lock()
	for _, p := range g.placed {
		s := m.slots[p.conf.Name]
		if s == nil {
			s = &slot{}
		}
		s.conf, s.source = p.conf, p.source
		if p.made != nil {
			if s.now != nil {
				m.retired = append(m.retired, s.now.policy)
			}
			s.now = p.made
			fresh = append(fresh, p)
		}
		next[p.conf.Name] = s
	}
	for name, s := range m.slots {
		if next[name] == nil {
			m.retired = append(m.retired, s.now.policy)
		}
	}
	m.slots, m.base, m.conf, m.rules = next, base, &g.conf.Policies, g.conf.Policies.Rules()
	m.mu.Unlock()
	for _, p := range fresh {
		number := m.generation(p.conf.Name)
		m.watch(next[p.conf.Name], p.made, number)
		m.accept(p.conf.Name, p.made)
		m.server.Tell(policy.Event{Kind: policy.EventPolicySwapped, Text: p.made.policy.Digest(), Policy: p.conf.Name, Generation: number})
		m.log.Info("policy swapped", "event", policy.EventPolicySwapped.String(), "policy", p.conf.Name, "policy_gen", number,
			"digest", p.made.policy.Digest(), "version", p.made.accepted.Version, "signer", p.made.accepted.Signer)
	}
}

// number gives the status the number that a configuration goes by.
func (m *modules) number(g *generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.base.Generation, m.base.ConfigSince = g.number, g.since.UTC().Truncate(time.Second)
}

// listens reports whether the configuration in force has a listener of that name.
func (m *modules) listens(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.base.Listeners {
		if l.Name == name {
			return true
		}
	}
	return false
}
