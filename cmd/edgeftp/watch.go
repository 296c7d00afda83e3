package main

import (
	"context"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/drop"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// take swaps a module in that was put into the directory. The one in force stays
// without ado.
func (m *modules) take(ctx context.Context, c drop.Candidate) error {
	if m.known(c.Slot, trust.Sum(c.Module)) {
		return nil
	}
	_, err := m.Swap(ctx, control.Swap{Modules: []control.Module{{Name: c.Slot, Module: c.Module, Signature: c.Signature, Source: c.Path}}})
	return err
}
