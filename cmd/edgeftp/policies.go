package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/policies/eventlog"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// policies makes the policies on logins, then the modules in their order, then what
// counts and logs, and last the event log, which sees what all of them have done.
func (in *generation) policies(ctx context.Context) (slots []edge.Slot, err error) {
	defer func() {
		if err != nil {
			in.closeSlots(slots)
			slots = nil
		}
	}()
	if slots, err = in.native(slots, "antiflood", [2]int{in.conf.Limits.Commands, in.conf.Limits.CommandsPerIP}, in.flood); err != nil {
		return slots, err
	}
	if slots, err = in.each(slots, "users", func(c *config.Config) any { return in.peopleOf(c).made() },
		func(c *config.Config, _ string) (policy.Policy, error) { return in.peopleOf(c).policy() }); err != nil {
		return slots, err
	}
	if slots, err = in.each(slots, "anonymous", func(c *config.Config) any { return c.Anonymous }, anybody); err != nil {
		return slots, err
	}
	for i := range in.conf.Policies.Modules {
		slot, err := in.module(ctx, &in.conf.Policies.Modules[i])
		if err != nil {
			return slots, err
		}
		slots = append(slots, slot)
	}
	// What is stored is charged when nobody else objects.
	if slots, err = in.each(slots, "quota", in.quotas, in.quota); err != nil {
		return slots, err
	}
	if slots, err = in.webhooks(slots); err != nil {
		return slots, err
	}
	for _, own := range []struct {
		name string
		of   any
		make func() (policy.Policy, error)
	}{{"accesslog", in.conf.AccessLog, in.access}, {"metrics", in.conf.Metrics.Listen != "", in.figures},
		{followSlot, true, in.follow}, {"eventlog", in.conf.Events, in.events}} {
		if slots, err = in.native(slots, own.name, own.of, own.make); err != nil {
			return slots, err
		}
	}
	return slots, nil
}

// anybody makes the policy on anonymous users, nil where there are none.
func anybody(conf *config.Config, _ string) (policy.Policy, error) {
	a := conf.Anonymous
	if !a.Enabled {
		return nil, nil
	}
	return anonymous.New(anonymous.Config{Perms: a.Perms, AllowWrite: a.AllowWrite, Home: a.Home, Limits: a.Limits,
		MaxSessions: a.MaxSessions, MsgLogin: a.MsgLogin, MsgQuit: a.MsgQuit})
}

// followSlot is the slot of what follows events for the admin API. No module can have its
// name: see slotAt.
const followSlot = "events@admin"

// follow makes the policy by which the admin API tells what happens.
func (in *generation) follow() (policy.Policy, error) { return in.house.events.Policy(), nil }

// events makes the log of all events, nil without one.
func (in *generation) events() (policy.Policy, error) {
	if in.conf.Events == "" {
		return nil, nil
	}
	l, err := eventlog.Open(in.conf.Events)
	if err == nil {
		l.Show = in.hide.Event
	}
	return l, err
}

// module loads the module of a slot from the source that the configuration names.
func (in *generation) module(ctx context.Context, conf *config.Module) (edge.Slot, error) {
	if in.before != nil {
		if s := in.modules.slots[conf.Name]; s != nil {
			return in.moduleAgain(ctx, conf, s)
		}
	}
	offered, how, err := in.read(ctx, conf)
	if err != nil {
		return edge.Slot{}, fmt.Errorf("policy %q: %w", conf.Name, err)
	}
	source := trust.Sum(offered.Module)
	c, err := in.modules.prepare(ctx, conf, offer{Module: offered})
	var refused *wasmhost.LoadError
	if errors.As(err, &refused) && refused.Code == trust.CodeDowngrade {
		return edge.Slot{}, fmt.Errorf("policy %q (%s): %w\n   = help:   the newer one was swapped in while the server ran: make it the source, or set policies.allow_downgrade",
			conf.Name, conf.Source, err)
	}
	if err != nil {
		return edge.Slot{}, fmt.Errorf("policy %q (%s): %w", conf.Name, conf.Source, err)
	}
	in.built[conf.Name] = how
	in.placed = append(in.placed, placed{conf: conf, made: c, source: source})
	return edge.Slot{Name: conf.Name, Policy: c.policy, Options: in.modules.options(conf)}, nil
}

// read reads a module and its signature, or builds it, and says how.
func (in *generation) read(ctx context.Context, conf *config.Module) (m *control.Module, how string, err error) {
	m = &control.Module{Name: conf.Name, Source: conf.Source}
	if isDir(conf.Source) {
		m.Module, how, err = in.build(ctx, conf)
		return m, how, err
	}
	if m.Module, err = os.ReadFile(conf.Source); err != nil {
		return nil, "", fmt.Errorf("the policy module cannot be read: %w\n   = help: name a .wasm file or a directory with a policy's source", err)
	}
	m.Signature, err = readSignature(conf.SignatureFile(), conf.Signature != "")
	return m, "", err
}

// closeSlots closes the policies of a configuration that is not to be, but for those that
// the one before it has.
func (in *generation) closeSlots(slots []edge.Slot) {
	for _, s := range slots {
		if c, ok := s.Policy.(interface{ Close() error }); ok && !in.kept(s) {
			_ = c.Close()
		}
	}
}

// kept reports whether a policy is that of the generation before.
func (in *generation) kept(s edge.Slot) bool {
	if in.before == nil {
		return false
	}
	if n, ok := in.natives[s.Name]; ok {
		return n.policy == in.before.natives[s.Name].policy
	}
	i := slices.IndexFunc(in.placed, func(p placed) bool { return p.conf.Name == s.Name })
	return i >= 0 && in.placed[i].made == nil
}
