package wasmhost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Policy is a loaded module. It is a [policy.Policy], safe for concurrent use,
// and an io.Closer. It is made by [Host.Load].
type Policy struct {
	name     string
	digest   [sha256.Size]byte
	module   *vetted
	settings []byte
	limits   Config // the host's, with all defaults filled in
	loaded   time.Time
	engine   *engine
	pool     *pool
	lines    *limiter
	caps     *capabilities
	stats    counters
	closing  sync.Once
	closeErr error
	idlers   sync.WaitGroup
}

// counters are the numbers behind [Stats].
type counters struct {
	calls, traps, timeouts, badOutput, failed, noInstance atomic.Uint64
	made, closed                                          atomic.Uint64
}

// Stats are numbers of one policy since it was loaded.
type Stats struct {
	Calls      uint64 // questions and events that came, answered or not
	Traps      uint64 // calls in which the guest trapped or left
	Timeouts   uint64 // calls that were stopped at their deadline
	BadOutput  uint64 // calls whose answer broke the ABI
	Failed     uint64 // calls that the guest said it could not decide
	NoInstance uint64 // calls for which no instance was there in time
	Instances  int    // instances that exist now, in use or free
	Idle       int    // instances that are free now
	Made       uint64 // instances that were started, with those that failed to
	Closed     uint64 // instances that were closed
	LogDropped uint64 // lines of the guest that were over the rate
}

var _ policy.Policy = (*Policy)(nil)

// Name returns the name under which the policy was loaded: the operator's, not
// the manifest's.
func (p *Policy) Name() string { return p.name }

// Hooks returns the stages whose hooks the module exports.
func (p *Policy) Hooks() policy.Hooks {
	var h policy.Hooks
	if p.module.hooks[abi.HookAuth] {
		h.Authenticator = authenticator{p}
	}
	if p.module.hooks[abi.HookFS] {
		h.Authorizer = authorizer{p}
	}
	if p.module.hooks[abi.HookEvent] {
		h.Observer = observer{p}
	}
	h.Interest = p.module.manifest.Interest
	return h
}

// Digest returns the SHA-256 of the module's bytes as "sha256:" and hex digits.
func (p *Policy) Digest() string { return "sha256:" + hex.EncodeToString(p.digest[:]) }

// HookNames lists the hooks that the module exports, in the ABI's order: "auth",
// "fs", "event", "idle".
func (p *Policy) HookNames() []string { return p.module.hookNames() }

// Manifest returns what the module says about itself, the zero value if it says
// nothing.
func (p *Policy) Manifest() Manifest { return p.module.manifest }

// Stats returns the policy's numbers. They are read one after the other while
// calls go on, so they may differ by the calls of a moment.
func (p *Policy) Stats() Stats {
	c := &p.stats
	closed := c.closed.Load() // before made: the difference is never negative
	made := c.made.Load()
	return Stats{
		Calls: c.calls.Load(), Traps: c.traps.Load(), Timeouts: c.timeouts.Load(),
		BadOutput: c.badOutput.Load(), Failed: c.failed.Load(), NoInstance: c.noInstance.Load(),
		Instances: int(made - closed), Idle: p.pool.idle(), Made: made, Closed: closed,
		LogDropped: p.lines.dropped.Load(),
	}
}

// Close waits for the calls that run and then gives back everything that the
// module holds. Later calls fail. Closing again does nothing and returns the same
// error.
func (p *Policy) Close() error {
	p.closing.Do(func() {
		for _, in := range p.pool.drain() {
			in.close()
		}
		p.idlers.Wait()
		p.caps.close()
		p.closeErr = p.engine.close()
	})
	return p.closeErr
}

// begin takes an instance for a call of at most limit, which counts the waiting
// and not the making of an instance. It returns what is left of limit.
func (p *Policy) begin(ctx context.Context, h abi.Hook, limit time.Duration) (*instance, time.Duration, error) {
	p.stats.calls.Add(1)
	if err := ctx.Err(); err != nil {
		p.stats.noInstance.Add(1)
		return nil, 0, &CallError{Cause: CauseNoInstance, Hook: h.String(), Err: err}
	}
	start := time.Now()
	if err := p.pool.reserve(ctx, limit); err != nil {
		p.stats.noInstance.Add(1)
		return nil, 0, &CallError{Cause: CauseNoInstance, Hook: h.String(), Err: err}
	}
	left := max(limit-time.Since(start), time.Millisecond)
	if in := p.pool.take(); in != nil {
		return in, left, nil
	}
	in, err := p.newInstance()
	if err != nil {
		p.pool.release()
		p.count(err)
		return nil, 0, err
	}
	return in, left, nil
}

// end gives the instance back after a call, or closes it after a call that may
// have left it torn.
func (p *Policy) end(in *instance, err error) {
	in.leave()
	p.count(err)
	var fault *CallError
	keep := err == nil || errors.As(err, &fault) && (fault.Cause == CauseFailed || fault.Cause == CauseQuestion)
	if !keep || !in.usable() {
		in.close()
		p.pool.release()
		return
	}
	in.calls++
	if in.fns[abi.HookIdle] != nil && in.calls >= p.limits.IdleEvery {
		in.calls = 0
		p.idlers.Go(func() { p.idle(in) })
		return
	}
	p.pool.put(in)
	p.pool.release()
}

// idle lets a guest do its housekeeping, off the path of any question. It still
// holds the instance's place in the pool.
func (p *Policy) idle(in *instance) {
	_, err := in.ask(abi.HookIdle, 0, time.Time{}, p.limits.Event)
	p.count(err)
	if err != nil || !in.usable() {
		in.close()
	} else {
		p.pool.put(in)
	}
	p.pool.release()
}

// count adds a failed call to the numbers.
func (p *Policy) count(err error) {
	var fault *CallError
	if !errors.As(err, &fault) {
		return
	}
	switch fault.Cause {
	case CauseTrap:
		p.stats.traps.Add(1)
	case CauseTimeout:
		p.stats.timeouts.Add(1)
	case CauseBadOutput:
		p.stats.badOutput.Add(1)
	case CauseFailed, CauseQuestion:
		p.stats.failed.Add(1)
	case CauseNoInstance:
		p.stats.noInstance.Add(1)
	}
}

// logLine writes one line of the guest to the server's log, if the policy has not
// written too many.
func (p *Policy) logLine(level slog.Level, b []byte) {
	if !p.limits.Log.Enabled(context.Background(), level) || !p.lines.allow() {
		return
	}
	p.limits.Log.LogAttrs(context.Background(), level, escape(b, abi.MaxLog), slog.String("policy", p.name))
}

// logOutput writes what the guest sent to its standard output and error in a call
// that went well.
func (p *Policy) logOutput(b []byte) { p.logLine(slog.LevelInfo, b) }
