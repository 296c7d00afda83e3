package main

import (
	"context"
	"sync"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/drop"
)

// work is what runs beside the server and follows the configuration.
type work struct {
	ctx     context.Context // ends with the server
	working context.Context // ends when it drains
	stop    func()          // ends working
	all     sync.WaitGroup

	dir     string // that modules are taken from
	signed  bool   // and whether they need signatures
	leave   context.CancelFunc
	benches map[string]bool // sources of policies that are watched, by module
}

// begin is called once, before attend.
func (w *work) begin(ctx, working context.Context, stop func()) {
	w.ctx, w.working, w.stop, w.benches, w.leave = ctx, working, stop, map[string]bool{}, func() {}
}

// attend starts what a generation that comes into force needs beside the server, and ends
// what it needs no more. What stays is not disturbed.
func (in *generation) attend() {
	w := &in.work
	if dir, signed := in.conf.Policies.Watch, in.conf.Policies.RequireSignature; dir != w.dir || signed != w.signed {
		w.leave()
		w.dir, w.signed = dir, signed
		var ctx context.Context
		ctx, w.leave = context.WithCancel(w.working)
		w.all.Go(func() { in.guard(func() { in.watchModules(ctx, dir, signed) }) })
	}
	for _, b := range in.benches {
		if w.benches[b.conf.Name] {
			continue
		}
		w.benches[b.conf.Name] = true
		w.all.Go(func() {
			in.guard(func() {
				b.source.Run(w.working, func(ctx context.Context, names []string) { in.rebuild(ctx, b, names) })
			})
		})
	}
}

// watchModules takes modules from a directory, until ctx ends; none where it is empty.
func (in *instance) watchModules(ctx context.Context, dir string, signed bool) {
	if dir == "" {
		return
	}
	err := drop.Watch(ctx, dir, drop.Options{Signed: signed, Log: in.log}, in.modules.take)
	if err != nil && ctx.Err() == nil {
		in.log.Error("the policy directory is not watched", "error", in.sandbox.Explain(dir, err))
	}
}
