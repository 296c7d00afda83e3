package wasmhost

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// engine is one compiled module in a runtime of its own, so that closing it frees
// everything and touches no other module. Modules share compiled code through the
// cache directory alone.
type engine struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	cache    wazero.CompilationCache // nil without a directory
}

// compile compiles a vetted module within the time that the configuration allows.
// The compiler cannot be stopped: after the time it is left to end by itself, and
// its result is thrown away. The module's size bounds how long that takes.
func (h *Host) compile(ctx context.Context, name string, v *vetted) (*engine, error) {
	limited, cancel := context.WithTimeout(ctx, h.config.Compile)
	defer cancel()
	type result struct {
		e   *engine
		err error
	}
	ch := make(chan result)
	h.compiling.Go(func() {
		e, err := h.build(name, v)
		select {
		case ch <- result{e, err}:
		case <-limited.Done():
			if err == nil {
				_ = e.close() // nobody wants it
			}
		}
	})
	select {
	case r := <-ch:
		return r.e, r.err
	case <-limited.Done():
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, &LoadError{Code: CodeCompileTime,
		Summary: fmt.Sprintf("policy %q takes too long to compile", name),
		Needs:   fmt.Sprintf("at most %v", h.config.Compile),
		Help:    "make the module smaller"}
}

// build compiles the module and links what it imports.
func (h *Host) build(name string, v *vetted) (e *engine, err error) {
	ctx := context.Background()
	e = &engine{}
	defer func() {
		// A fault of the compiler must not take the server down.
		if r := recover(); r != nil {
			err = malformed(name, fmt.Errorf("fault of the compiler: %v", r))
		}
		if err != nil {
			_ = e.close() // the first error is the one to tell
			e = nil
		}
	}()
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithMemoryLimitPages(v.limits.MemoryPages). // a greater maximum is clamped
		WithDebugInfoEnabled(false)                 // no parser of debug information on untrusted bytes
	ctx = h.tracing(ctx, v)
	metered, err := v.metered()
	if err != nil {
		return e, malformed(name, err)
	}
	cached := h.config.CacheDir != "" && !v.traced
	var kept shelf
	if cached {
		kept = h.shelfOf(metered)
		if e.cache, err = kept.open(); err != nil {
			return e, fmt.Errorf("module cache: %w", err)
		}
		config = config.WithCompilationCache(e.cache)
	}
	e.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if err := linkHost(ctx, e.runtime, v.Imports); err != nil {
		return e, err
	}
	if e.compiled, err = e.runtime.CompileModule(ctx, metered); err != nil {
		return e, malformed(name, err)
	}
	if cached {
		h.compiled.count(kept)
	}
	return e, nil
}

// close frees the runtime with all that it holds.
func (e *engine) close() error {
	ctx := context.Background()
	var errs []error
	if e.compiled != nil {
		errs = append(errs, e.compiled.Close(ctx))
	}
	if e.runtime != nil {
		errs = append(errs, e.runtime.Close(ctx))
	}
	if e.cache != nil {
		errs = append(errs, e.cache.Close(ctx))
	}
	return errors.Join(errs...)
}
