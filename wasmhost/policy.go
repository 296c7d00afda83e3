package wasmhost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// Policy is a loaded module. It is a [policy.Policy], safe for concurrent use,
// and an io.Closer. It is made by [Host.Load].
type Policy struct {
	name     string
	digest   [sha256.Size]byte
	module   *vetted
	settings []byte
	limits   Config // the host's, with all defaults filled in
	budgets  Budgets
	compile  time.Duration // that compiling took
	loaded   time.Time
	engine   *engine
	pool     *pool
	cache    cache
	lines    *limiter
	caps     *capabilities
	watch    atomic.Pointer[Watcher]
	// intercept answers calls of the host in its place, nil without; see LoadOptions.
	intercept func(context.Context, *HostCall) bool
	// verify is that of LoadOptions; world is nil but in a trial.
	verify func(ctx context.Context, hash, password string) (bool, error)
	world  *cases.World

	stats    counters
	retired  atomic.Bool // running calls end at their next slice
	closing  sync.Once
	closeErr error
	idlers   sync.WaitGroup
}

// counters are the numbers behind [Stats].
type counters struct {
	calls, fuel  atomic.Uint64
	faults       [NumCauses]atomic.Uint64
	made, closed atomic.Uint64
}

// WaitBuckets is the number of buckets in Stats.WaitTimes.
const WaitBuckets = 32

// Stats are numbers of one policy since it was loaded.
type Stats struct {
	Calls     uint64            // questions and events that came, answered or not
	Faults    [NumCauses]uint64 // of them those that failed, by cause
	Fuel      uint64            // units of work, see package meter
	Instances int               // instances that exist now, in use or free
	Idle      int               // instances that are free now
	Made      uint64            // instances that were started, with those that failed to
	Closed    uint64            // instances that were closed
	Waits     uint64            // calls that had to wait for an instance
	Waited    time.Duration     // that they have waited, in all
	// WaitTimes counts the waits that are over: entry i those that took less than 64 ns << i and
	// no less than half of that; the last one holds all that is longer.
	WaitTimes  [WaitBuckets]uint64
	Compile    time.Duration // that compiling took at the load; a few milliseconds from the cache
	Memory     uint64        // bytes of the free instances' memories
	CacheHits  uint64        // questions that a kept answer answered
	LogDropped uint64        // lines of the guest that were over the rate
}

var _ policy.Policy = (*Policy)(nil)

// Name returns the name under which the policy was loaded: the operator's, not
// the manifest's.
func (p *Policy) Name() string { return p.name }

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
	idle, _, waits := p.pool.counts()
	s := Stats{Calls: c.calls.Load(), Fuel: c.fuel.Load(), Instances: int(made - closed), Idle: idle, Made: made, Closed: closed,
		Waits: waits, Waited: time.Duration(p.pool.waited.Load()), Compile: p.compile, Memory: p.pool.memory(), CacheHits: p.cache.hits.Load(), LogDropped: p.lines.dropped.Load()}
	for i := range s.WaitTimes {
		s.WaitTimes[i] = p.pool.lengths[i].Load()
	}
	for i := range s.Faults {
		s.Faults[i] = c.faults[i].Load()
	}
	return s
}

// Close ends the calls that run at their next slice, waits for them, and gives
// back everything that the module holds. Later calls fail. Closing again does
// nothing and returns the same error.
func (p *Policy) Close() error {
	p.closing.Do(func() {
		p.retired.Store(true)
		for _, in := range p.pool.drain() {
			in.close()
		}
		p.idlers.Wait()
		p.caps.close()
		p.closeErr = p.engine.close()
	})
	return p.closeErr
}

// begin takes an instance for a call of the hook, and says how much of the time for
// the call has gone by. The making of an instance does not count.
func (p *Policy) begin(ctx context.Context, h abi.Hook) (in *instance, waited time.Duration, err error) {
	p.stats.calls.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, 0, p.none(h, err)
	}
	in, ok := p.pool.quick()
	if !ok {
		start := time.Now()
		if in, err = p.pool.take(ctx, p.budgets[h].Time); err != nil {
			return nil, 0, p.none(h, err)
		}
		waited = time.Since(start)
	}
	if in == nil {
		if in, err = p.newInstance(); err != nil {
			p.pool.give(nil)
			p.count(err)
			return nil, 0, err
		}
	}
	return in, waited, nil
}

// none is the error of a call that got no instance.
func (p *Policy) none(h abi.Hook, err error) error {
	fault := &CallError{Cause: CauseNoInstance, Hook: h.String(), Err: err}
	p.count(fault)
	return fault
}

// end gives the instance back after a call, or closes it after a call that may
// have left it torn or fat.
func (p *Policy) end(in *instance, err error) {
	if err != nil {
		p.count(err)
		if fault := (*CallError)(nil); !errors.As(err, &fault) || fault.Cause.costsInstance() {
			p.discard(in)
			return
		}
	}
	if in.mod.IsClosed() || in.mem.Size() > p.limits.HighWater*pageSize || p.module.manifest.Isolation == IsolationFresh || in.image != nil && !in.reset() {
		p.discard(in)
		return
	}
	in.calls++
	if in.fns[abi.HookIdle] != nil && in.calls >= p.limits.IdleEvery {
		in.calls = 0
		p.idlers.Go(func() { p.idle(in) })
		return
	}
	p.pool.give(in)
}

// discard closes an instance that is in use and gives its place back.
func (p *Policy) discard(in *instance) {
	in.close()
	p.pool.give(nil)
}

// idle lets a guest do its housekeeping, off the path of any question. It still
// holds the instance's place in the pool.
func (p *Policy) idle(in *instance) {
	_, err := in.ask(abi.HookIdle, 0, time.Time{}, 0)
	p.count(err)
	if err != nil || in.mod.IsClosed() {
		p.discard(in)
		return
	}
	p.pool.give(in)
}

// count adds a failed call to the numbers.
func (p *Policy) count(err error) {
	if fault := (*CallError)(nil); errors.As(err, &fault) {
		p.stats.faults[fault.Cause].Add(1)
	}
}
