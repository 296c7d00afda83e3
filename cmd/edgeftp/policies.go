package main

import (
	"context"
	"errors"
	"fmt"
	"os"

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
func (in *instance) policies(ctx context.Context) (slots []edge.Slot, err error) {
	defer func() {
		if err != nil {
			closeSlots(slots)
			slots = nil
		}
	}()
	known, err := in.people.policy()
	if err != nil {
		return nil, err
	}
	if slots, err = native(slots, "antiflood", in.flood); err != nil {
		return slots, err
	}
	slots = append(slots, edge.Slot{Name: "users", Policy: known})
	if a := in.conf.Anonymous; a.Enabled {
		anybody, err := anonymous.New(anonymous.Config{Perms: a.Perms, AllowWrite: a.AllowWrite, Home: a.Home, Limits: a.Limits,
			MaxSessions: a.MaxSessions, MsgLogin: a.MsgLogin, MsgQuit: a.MsgQuit})
		if err != nil {
			return slots, err
		}
		slots = append(slots, edge.Slot{Name: "anonymous", Policy: anybody})
	}
	for i := range in.conf.Policies.Modules {
		slot, err := in.module(ctx, &in.conf.Policies.Modules[i])
		if err != nil {
			return slots, err
		}
		slots = append(slots, slot)
	}
	// What is stored is charged when nobody else objects.
	for _, own := range []struct {
		name string
		make func() (policy.Policy, error)
	}{{"quota", in.quota}, {"accesslog", in.access}, {"metrics", in.figures}} {
		if slots, err = native(slots, own.name, own.make); err != nil {
			return slots, err
		}
	}
	if in.conf.Events != "" {
		events, err := eventlog.Open(in.conf.Events)
		if err != nil {
			return slots, err
		}
		slots = append(slots, edge.Slot{Name: "eventlog", Policy: events})
	}
	return slots, nil
}

// module loads the module of a slot from the source that the configuration names.
func (in *instance) module(ctx context.Context, conf *config.Module) (edge.Slot, error) {
	offered, how, err := in.read(ctx, conf)
	if err != nil {
		return edge.Slot{}, fmt.Errorf("policy %q: %w", conf.Name, err)
	}
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
	in.modules.slots[conf.Name] = &slot{conf: conf, now: c}
	return edge.Slot{Name: conf.Name, Policy: c.policy, Options: in.modules.options(conf)}, nil
}

// read reads a module and its signature, or builds it, and says how.
func (in *instance) read(ctx context.Context, conf *config.Module) (m *control.Module, how string, err error) {
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

// closeSlots closes the policies of a server that was not made.
func closeSlots(slots []edge.Slot) {
	for _, s := range slots {
		if c, ok := s.Policy.(interface{ Close() error }); ok {
			_ = c.Close()
		}
	}
}
