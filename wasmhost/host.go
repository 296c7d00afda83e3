package wasmhost

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/internal/meter"
)

// Config sets where the host keeps compiled modules and what a module may use.
// The zero value works: every field has a default, and none switches a limit off.
type Config struct {
	// CacheDir is a directory for native code of modules that were compiled
	// before, made with mode 0700. Whoever can write there can run code in the
	// server. Empty means that every load compiles.
	CacheDir string
	// Log takes the lines of guests. Nil discards them.
	Log *slog.Logger
	// Redact goes through the lines of guests before Log has them, nil: nothing does. It
	// returns the line without what of the subject is not to stand there. It is called by many
	// goroutines at once.
	Redact func(line string, about Subject) string
	// Strict makes an unknown key in a reply an error instead of skipping it.
	Strict bool

	MaxModule int           // bytes of a module, 0 for 8 MiB
	Compile   time.Duration // the compiling of a module, 0 for 60 s: a cold Go guest takes 1 to 4 s
	IdleEvery uint64        // calls of an instance between two of edgeftp_idle, 0 for 4,096
	// Budgets bound the calls of each hook. Zero fields have the hook's default.
	Budgets Budgets
	// Limits are what a policy may use at most: zero fields are 256 pages (16 MiB), 2
	// instances per processor and 2 more, and package meter's depth. Time and Fuel
	// narrow the budgets.
	Limits Limits
	// HighWater is the number of pages above which an instance is closed after a
	// call, so that one great question does not hold memory for ever; 0 is three
	// quarters of Limits.MemoryPages.
	HighWater uint32
}

// withDefaults returns c with every zero field filled in.
func (c Config) withDefaults() Config {
	if c.Compile <= 0 {
		c.Compile = 60 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxModule <= 0 {
		c.MaxModule = 8 << 20
	}
	if c.Limits.MemoryPages == 0 || c.Limits.MemoryPages > 65536 {
		c.Limits.MemoryPages = 256
	}
	if c.Limits.Instances <= 0 {
		c.Limits.Instances = 2*runtime.GOMAXPROCS(0) + 2
	}
	if c.Limits.Depth <= 0 {
		c.Limits.Depth = meter.DefaultDepth
	}
	if c.IdleEvery == 0 {
		c.IdleEvery = 4096
	}
	c.Budgets = c.Budgets.withDefaults()
	return c
}

// Host loads modules. It is safe for concurrent use.
type Host struct {
	config Config
	// compiling counts compilations, also those that nobody waits for any more.
	compiling sync.WaitGroup
	compiled  compilations
}

// New returns a host. It fails if the cache directory cannot be made, or if
// others than its owner may write there.
func New(_ context.Context, c Config) (*Host, error) {
	if c.CacheDir != "" {
		dir, err := filepath.Abs(c.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("module cache: %w", err)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("module cache: %w", err)
		}
		info, err := os.Stat(dir)
		if err != nil {
			return nil, fmt.Errorf("module cache: %w", err)
		}
		if info.Mode().Perm()&0o022 != 0 {
			return nil, fmt.Errorf("module cache: %w", &fs.PathError{Op: "use", Path: dir,
				Err: fmt.Errorf("others may write there (mode %v), and it holds code that the server runs: chmod 700", info.Mode().Perm())})
		}
		c.CacheDir = dir
	}
	return &Host{config: c.withDefaults()}, nil
}

// Close waits for compilations that were given up. Policies are closed on their
// own.
func (h *Host) Close() error {
	h.compiling.Wait()
	return nil
}

// Load turns the bytes of a module into a policy under the operator's name, with
// what o gives it. The bytes are not kept.
//
// It fails with a [*LoadError] if the module is refused and with ctx's error if
// ctx ends first. After an error nothing is left behind. The caller closes the
// policy.
func (h *Host) Load(ctx context.Context, name string, module []byte, o LoadOptions) (*Policy, error) {
	if name == "" || !abi.OneLine(name, 100) {
		return nil, fmt.Errorf("policy name %q is not one line of 1 to 100 bytes", name)
	}
	v, err := vet(name, module, h.config.MaxModule, narrower(h.config.Limits.MemoryPages, o.Limits.MemoryPages))
	if err != nil {
		return nil, err
	}
	if len(o.Settings) > 0 && !v.config {
		return nil, &LoadError{Code: CodeSettings,
			Summary: fmt.Sprintf("policy %q takes no settings", name),
			Found:   fmt.Sprintf("%d bytes of settings", len(o.Settings)),
			Needs:   "export " + abi.ExportConfig, Help: "remove the settings from the configuration"}
	}
	v.traced = o.Traced
	v.limits = h.config.Limits.Narrow(o.Limits).Narrow(v.manifest.Limits)
	caps, err := v.granted(name, o.Grant)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	e, err := h.compile(ctx, name, v)
	if err != nil {
		caps.close()
		return nil, err
	}
	compile := time.Since(began)
	tests := v.tests
	v.Module, v.manifestBytes, v.tests = nil, nil, nil // all hold the module's bytes
	p := &Policy{
		name: name, digest: sha256.Sum256(module), module: v, settings: append([]byte(nil), o.Settings...),
		limits: h.config, budgets: v.budgets(h.config.Budgets), loaded: time.Now(), engine: e, compile: compile,
		pool: newPool(v.limits.Instances), lines: newLimiter(), caps: caps, intercept: o.Intercept, verify: o.Verify,
	}
	if p.limits.HighWater == 0 {
		p.limits.HighWater = max(1, v.limits.MemoryPages*3/4)
	}
	err = p.warm(ctx)
	if err == nil && !o.Untried {
		err = p.try(ctx, tests)
	}
	if err != nil {
		_ = p.Close() // the first error is the one to tell
		return nil, err
	}
	return p, nil
}

// warm starts the instances that a busy server will want, so that a module that
// cannot start is refused here and no question waits for a start.
func (p *Policy) warm(ctx context.Context) error {
	for range min(runtime.GOMAXPROCS(0), p.module.limits.Instances) {
		if err := ctx.Err(); err != nil {
			return err
		}
		in, err := p.newInstance()
		if err != nil {
			return startError(p.name, err)
		}
		p.pool.add(in)
	}
	return nil
}

// startError tells a failed start as a refusal.
func startError(name string, err error) error {
	e := &LoadError{Code: CodeRefused, Err: err, Found: abi.Clean(err.Error(), 1000),
		Summary: fmt.Sprintf("policy %q could not be started", name)}
	var fault *CallError
	if errors.As(err, &fault) && fault.Hook == "config" {
		e.Code = CodeSettings
		e.Summary = fmt.Sprintf("policy %q does not take its settings", name)
		e.Help = "correct the settings of this policy in the configuration"
	}
	return e
}
