package main

import (
	"context"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/drop"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// watchModules takes modules from the directory that the configuration names, until
// ctx ends.
func (in *instance) watchModules(ctx context.Context) {
	dir := in.conf.Policies.Watch
	if dir == "" {
		return
	}
	err := drop.Watch(ctx, dir, drop.Options{Signed: in.modules.rules.Required, Log: in.log}, in.modules.take)
	if err != nil && ctx.Err() == nil {
		in.log.Error("the policy directory is not watched", "error", in.sandbox.Explain(dir, err))
	}
}

// take swaps a module in that was put into the directory. The one in force stays
// without ado.
func (m *modules) take(ctx context.Context, c drop.Candidate) error {
	if m.known(c.Slot, trust.Sum(c.Module)) {
		return nil
	}
	_, err := m.Swap(ctx, control.Swap{Modules: []control.Module{{Name: c.Slot, Module: c.Module, Signature: c.Signature, Source: c.Path}}})
	return err
}
