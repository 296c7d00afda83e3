package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/gobuild"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/policies/eventlog"
	"github.com/edgeftp/edgeftp/policies/users"
)

// policies makes the native policies, then the modules in their order, and last
// the event log, which sees what all of them have done.
func (in *instance) policies(ctx context.Context) (slots []edge.Slot, err error) {
	defer func() {
		if err != nil {
			closeSlots(slots)
			slots = nil
		}
	}()
	list := make([]users.User, 0, len(in.conf.Users))
	for _, u := range in.conf.Users {
		list = append(list, users.User{Name: u.Name, PasswordHash: u.PasswordHash, Certificates: u.Certificates, Lenient: u.Lenient,
			Perms: u.Perms, Rules: u.Rules, Home: u.Home, Group: u.Group, Limits: u.Limits, MaxSessions: u.MaxSessions,
			Expires: u.Expires, MsgLogin: u.MsgLogin, MsgQuit: u.MsgQuit})
	}
	known, err := users.New(users.Config{Users: list})
	if err != nil {
		return nil, err
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
	for _, m := range in.conf.Policies.Modules {
		module, how, err := in.read(ctx, m.Source)
		if err != nil {
			return slots, fmt.Errorf("policy %q: %w", m.Name, err)
		}
		p, err := in.modules.load(ctx, m.Name, module, m.Settings)
		if err != nil {
			return slots, fmt.Errorf("policy %q (%s): %w", m.Name, m.Source, err)
		}
		in.built[m.Name] = how
		slots = append(slots, edge.Slot{Name: m.Name, Policy: p})
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

// read reads a module, or builds it, and says how.
func (in *instance) read(ctx context.Context, source string) (module []byte, how string, err error) {
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		module, how, err := gobuild.Build(ctx, source, in.buildCache())
		if err == nil {
			how = "  (" + how + ")"
		}
		return module, how, err
	}
	module, err = readModule(ctx, source, in.buildCache())
	return module, "", err
}

func (in *instance) buildCache() string {
	return filepath.Join(in.conf.Instance.StateDir, "cache", "build")
}

// closeSlots closes the policies of a server that was not made.
func closeSlots(slots []edge.Slot) {
	for _, s := range slots {
		if c, ok := s.Policy.(interface{ Close() error }); ok {
			_ = c.Close()
		}
	}
}
