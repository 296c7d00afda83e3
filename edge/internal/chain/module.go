package chain

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Options say how the chain treats one policy. The zero value works.
type Options struct {
	// FailOpen lists stages at which a failure of the policy counts as no opinion
	// instead of a refusal. StageAuth and StageCert cannot be among them.
	FailOpen []policy.Stage
	// Breaker says when a policy that only fails is no longer called.
	Breaker Breaker
	// Spool opens what keeps the policy's events until it took them; nil keeps them
	// in memory and drops the oldest when there are too many. It is called once for
	// a slot, whose policies share what it opens: until the slot is given up, a swap
	// or Replace changes nothing about it.
	Spool func() (Spool, error)
	// Hosts are the virtual hosts whose sessions the policy is asked about and told of,
	// by the names that LeaseOf gives them, an empty one for the sessions of none; nil:
	// all. What belongs to no session is of no host.
	Hosts []string
}

// check refuses what cannot be.
func (o *Options) check() error {
	for _, s := range o.FailOpen {
		switch {
		case s == policy.StageAuth || s == policy.StageCert:
			return fmt.Errorf("stage %v cannot fail open: only it grants", s)
		case s == 0 || s >= policy.StageIdle:
			return fmt.Errorf("stage %d cannot fail open: it is not asked", s)
		}
	}
	return o.checkHosts()
}

// module is one version of one policy. Consecutive generations share the
// modules that did not change; a module is closed when the last generation that
// holds it has ended.
type module struct {
	name     string // the slot's name in the configuration
	number   uint64 // the slot's generation number, from 1
	policy   policy.Policy
	hooks    policy.Hooks
	interest *interest
	options  Options
	open     [policy.NumStages]bool // Options.FailOpen
	since    time.Time
	queue    sink // nil without an observer
	tap      *tap // nil without a filter that only listens
	site     []policy.SiteCommand

	ending   *ending
	settling atomic.Bool
	settled  chan struct{} // closed after settling
	whole    bool          // after it: the module came back
	holders  atomic.Int64
	shadow   atomic.Pointer[shadow] // the candidate that is compared with it, if any
	often    atomic.Uint64          // one call in often+1 has its time taken; a power of two less one

	meters    [policy.NumStages]meter
	questions breaker      // of all stages but event
	events    breaker      // a log that cannot be written must not refuse logins
	told      atomic.Int64 // when a failure that refused nothing was logged, in nanoseconds since 1970
}

// dormant reports whether the policy wants neither questions about operations nor events
// at present (Hooks.Dormant).
func (m *module) dormant() bool { return m.hooks.Dormant != nil && m.hooks.Dormant() }

// sink takes a module's events off the sessions' path.
type sink interface {
	add(e *policy.Event)
	status() EventStatus
	// leave returns true when m is handed nothing any more, and false when m stays in a
	// call.
	leave(m *module, e *ending) bool
}

const (
	rarely = 63 // of module.often
	often  = 7  // while a trial is judged

	tellEvery = time.Second // at most, of failures that refused nothing
)

// newModule makes a module; k is of a slot that keeps its events.
func newModule(d draft, number uint64, k *courier, e *ending) *module {
	log := e.log
	m := &module{settled: make(chan struct{}), name: d.Name, number: number, policy: d.Policy, hooks: d.hooks, interest: d.interest,
		options: d.Options, site: d.site, since: time.Now(), ending: e}
	for _, s := range d.Options.FailOpen {
		m.open[s] = true
	}
	m.often.Store(rarely)
	for _, b := range []*breaker{&m.questions, &m.events} {
		b.conf, b.log, b.name = d.Options.Breaker.complete(), log, d.Name
	}
	switch {
	case m.hooks.Observer == nil:
	case k != nil:
		k.join()
		m.queue = k
	default:
		m.queue = newQueue(m)
	}
	if m.hooks.Filter != nil && m.hooks.Tap {
		m.tap = newTap(m)
	}
	return m
}

// call is one call of a hook that has begun.
type call struct {
	began time.Time // zero when its time is not taken
	probe bool      // of an open breaker
}

// begin is called before a hook of the stage; the hook is called, and then end,
// only when it returns no error.
func (m *module) begin(stage policy.Stage) (call, error) {
	if m.breaker(stage).state.Load() != opened && m.meters[stage].calls.Load()&m.often.Load() != 0 {
		return call{}, nil
	}
	return m.look(stage)
}

// look is begin where the breaker is open or the call's time is to be taken.
func (m *module) look(stage policy.Stage) (c call, err error) {
	if b := m.breaker(stage); b.state.Load() == opened {
		if c.probe, err = b.allow(); err != nil {
			m.meters[stage].skipped.Add(1)
			return c, err
		}
	}
	if m.meters[stage].calls.Load()&m.often.Load() == 0 {
		c.began = time.Now()
	}
	return c, nil
}

// end counts what became of a call. An error that came of the caller's having gone
// away says nothing about the policy's health.
func (m *module) end(ctx context.Context, stage policy.Stage, c call, session uint64, v policy.Verdict, err error) {
	t := &m.meters[stage]
	if !c.began.IsZero() {
		t.latency[bucket(time.Since(c.began))].Add(1)
	}
	aborted := err != nil && stage != policy.StageEvent && ctx.Err() != nil
	t.count(v, err != nil, aborted)
	b := m.breaker(stage)
	switch {
	case err == nil:
		if b.state.Load() != whole {
			b.success(c.probe)
		}
	case aborted:
		b.giveUp(c.probe)
	default:
		if stage == policy.StageEvent || m.open[stage] {
			m.tell(stage, session, err)
		}
		b.failure(c.probe, session, err)
	}
}

// tell logs a failure that no refusal tells of: one a second, as a transfer may have
// thousands.
func (m *module) tell(stage policy.Stage, session uint64, err error) {
	now, told := time.Now().UnixNano(), m.told.Load()
	if told != 0 && uint64(now-told) < uint64(tellEvery) || !m.told.CompareAndSwap(told, now) {
		return
	}
	m.questions.log.Warn("a policy failed, which refused nothing", "policy", m.name, "policy_gen", m.number,
		"stage", stage.String(), "sess", session, "failed", m.meters[stage].failed.Load(), "error", err)
}

func (m *module) breaker(stage policy.Stage) *breaker {
	if stage == policy.StageEvent {
		return &m.events
	}
	return &m.questions
}

// fault makes the refusal of a question that a policy failed to answer, nil where
// the stage fails open.
func (m *module) fault(stage policy.Stage, err error) *policy.Denial {
	if m.open[stage] {
		return nil
	}
	return &policy.Denial{Policy: m.name, Generation: m.number, Failed: true, Cause: err}
}

// denies makes a policy's refusal. A code that refuses nothing is left out, so
// that no refusal can look like a success.
func (m *module) denies(hidden bool, code int, text string) *policy.Denial {
	if code < 400 || code > 599 {
		code = 0
	}
	return &policy.Denial{Policy: m.name, Generation: m.number, Hidden: hidden, Code: code, Text: text}
}

// settle waits for the events that are queued, and for bytes that are to be shown, for a
// bounded time, and reports whether the policy came back.
func (m *module) settle(e *ending) bool {
	if m.settling.CompareAndSwap(false, true) {
		m.whole = true
		if m.queue != nil && !m.queue.leave(m, e) {
			e.leave(m.name, "Observe")
			m.whole = false
		}
		if m.tap != nil && !m.tap.close(e) {
			e.leave(m.name, "Filter")
			m.whole = false
		}
		close(m.settled)
	}
	<-m.settled
	return m.whole
}

// close settles the module and closes the policy, unless it stays in a call.
func (m *module) close(e *ending) {
	whole := m.settle(e)
	if c, ok := m.policy.(io.Closer); ok && whole {
		e.close(m.name, c.Close)
	}
}
