package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/builder"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sources"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// bench is where a policy is worked on while it serves: its source is built again
// whenever it changes.
type bench struct {
	conf   *config.Module
	source *sources.Watch
	dirs   []string // that source looks at, and files that links lead to: what the sandbox has to leave readable
	failed bool     // the last source gave no module that was taken
}

// startBuilder starts the process that builds policies, if the configuration names
// source. It is the only program that a server ever starts, and is there before the
// server is open to anybody. It becomes the user as, or stays this one's for nil.
func (in *generation) startBuilder(as *identity.User) error {
	o := builder.Options{Cache: in.buildCache()}
	for i := range in.conf.Policies.Modules {
		switch m := &in.conf.Policies.Modules[i]; {
		case !isDir(m.Source):
		case m.WatchSource:
			o.Dirs = append(o.Dirs, m.Source)
		default:
			o.Once = append(o.Once, m.Source)
		}
	}
	if len(o.Dirs)+len(o.Once) == 0 {
		return nil
	}
	var err error
	if o.Program, err = builder.Self(); err != nil {
		return err
	}
	if as != nil {
		o.Env = as.Environment()
	}
	in.builder, err = builder.Start(o, as, in.log)
	return err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// build has a policy's source built, and watched from then on if it is to be. How it was
// built is for the greeting.
func (in *generation) build(ctx context.Context, conf *config.Module) (module []byte, how string, err error) {
	if in.builder == nil {
		return nil, "", fmt.Errorf("%s has become a directory while the server started\n   = help: start it again", conf.Source)
	}
	b := &bench{conf: conf}
	if conf.WatchSource { // the look comes first: nobody's work is missed
		b.source = sources.New(conf.Source, sources.Options{Log: in.log, Help: in.beyond})
	}
	r, err := in.builder.Build(ctx, conf.Source)
	if err != nil {
		return nil, "", err
	}
	how = r.How
	switch {
	case conf.WatchSource:
		b.source.Also(r.Dirs)
		b.dirs = slices.Concat([]string{conf.Source}, r.Dirs, b.source.Linked())
		in.benches = append(in.benches, b)
		how += "; it is built again when it changes"
	case conf.Unwatched != "":
		in.log.Warn("policy source not watched", "policy", conf.Name, "reason", conf.Unwatched)
	}
	return r.Module, "  (" + how + ")", nil
}

func (in *generation) buildCache() string {
	return filepath.Join(in.conf.Instance.StateDir, "cache", "build")
}

// rebuild builds a policy whose files have changed, and swaps it in if a server can
// take it. If not, what is in force stays, and the log has the compiler's words.
func (in *instance) rebuild(ctx context.Context, b *bench, names []string) {
	name, start := b.conf.Name, time.Now()
	if _, err := in.modules.find(name); err != nil {
		return // no configuration has it any more
	}
	changed := []any{"changed", sources.Brief(names)}
	r, err := in.builder.Build(ctx, b.conf.Source)
	if err == nil {
		b.source.Also(r.Dirs)
		changed = append(changed, "build", time.Since(start).Round(time.Millisecond).String())
		if in.modules.known(name, trust.Sum(r.Module)) {
			in.same(b, changed)
			return
		}
		m := control.Module{Name: name, Module: r.Module, Source: b.conf.Source}
		_, err = in.modules.swap(ctx, control.Swap{Modules: []control.Module{m}, Now: true}, changed...)
	}
	if ctx.Err() != nil {
		return
	}
	if b.failed = err != nil; !b.failed {
		return
	}
	text, keeps := err.Error(), fmt.Sprintf("generation %d keeps running", in.modules.generation(name))
	if !strings.HasSuffix(text, keeps) {
		text += "\n   = " + keeps
	}
	in.log.Error("policy not swapped", append([]any{"policy", name}, append(changed, "error", lines(text))...)...)
}

// same tells that a source gives the module that is in force: after a failure that is
// news, else it was a comment.
func (in *instance) same(b *bench, changed []any) {
	say := in.log.Debug
	if b.failed {
		say = in.log.Info
	}
	b.failed = false
	say("policy unchanged", append([]any{"policy", b.conf.Name, "policy_gen", in.modules.generation(b.conf.Name)}, changed...)...)
}
