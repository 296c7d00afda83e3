package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// Status implements control.Controller.
func (m *modules) Status() control.Status {
	s := m.server.Status()
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.base
	st.OldSessions, st.Predecessor = s.OldSessions, m.elder()
	st.Sessions, st.Transfers, st.Draining, st.OldGenerations = s.Sessions, s.Transfers, s.Draining, s.OldGenerations
	b := &s.Budget
	st.Budget = control.Budget{Memory: b.Memory, MemoryUsed: b.MemoryUsed, MemoryFull: b.MemoryFull, MemoryWorst: b.Worst, Descriptors: b.Descriptors,
		MostSessions: b.Sessions, NoMemory: b.NoMemory, NoDescriptors: b.NoDescriptors, NoTransfer: b.NoTransfer}
	st.Panics, st.Bans = s.Panics, m.server.Defence().Bans
	for i := range s.Policies {
		st.Policies = append(st.Policies, m.describe(&s.Policies[i]))
	}
	living := m.retired[:0]
	for _, p := range m.retired {
		if n := p.Stats().Instances; n > 0 {
			st.OldInstances += n
			living = append(living, p)
		}
	}
	clear(m.retired[len(living):])
	m.retired = living
	return st
}

// one describes one policy that is in force.
func (m *modules) one(name string) (control.Policy, error) {
	for _, st := range m.Status().Policies {
		if st.Name == name {
			return st, nil
		}
	}
	return control.Policy{}, fmt.Errorf("policy %q has gone", name)
}

// describe tells all about a policy. The caller holds mu.
func (m *modules) describe(p *edge.PolicyStatus) control.Policy {
	st := m.counts(p)
	s := m.slots[p.Name]
	if s == nil {
		return st
	}
	m.sandbox(&st, p.Policy, s.now)
	st.Metrics = m.guests.of(p.Name)
	if _, ok := m.ledger.Previous(p.Name); ok {
		st.CanRoll = true
	}
	if t := p.Trial; t != nil {
		c := m.counts(&t.Candidate)
		m.sandbox(&c, t.Candidate.Policy, s.next)
		c.State = fmt.Sprintf("canary %d%%", t.Percent)
		st.Trial = &control.Trial{Candidate: c, Percent: t.Percent, Until: moment(t.Until)}
	}
	if d := p.Shadow; d != nil && s.shadow != nil {
		st.Shadow = &control.Shadow{Digest: s.shadow.accepted.Digest.String(), Version: s.shadow.accepted.Version, Since: d.Since.UTC(),
			Compared: d.Compared, Differed: d.Differed, Failed: d.Failed, Dropped: d.Dropped, Queued: d.Queued}
	}
	return st
}

// counts is what the server knows about a policy.
func (m *modules) counts(p *edge.PolicyStatus) control.Policy {
	st := control.Policy{Name: p.Name, Generation: p.Generation, Kind: "native", State: "active", Hooks: []string{},
		Since: p.Since.UTC().Truncate(time.Second), Calls: p.Calls, Denied: p.Denied, Failed: p.Failed, Skipped: p.Skipped, Dropped: p.Events.Dropped,
		Breaker: breaker(p.Breaker), Observer: breaker(p.Observer)}
	if p.Breaker.Open {
		st.State = "failing"
	}
	for i := range p.Stages {
		st.Hooks = append(st.Hooks, p.Stages[i].Stage.String())
		st.Stages = append(st.Stages, stage(&p.Stages[i]))
	}
	if p.Policy.Hooks().Observer != nil {
		e := control.Events(p.Events)
		st.Events = &e
	}
	return st
}

// sandbox adds what the host knows about a module.
func (m *modules) sandbox(st *control.Policy, p policy.Policy, c *candidate) {
	w, ok := p.(*wasmhost.Policy)
	if !ok {
		return
	}
	s := w.Stats()
	st.Kind, st.Digest, st.Version, st.Instances = "module", w.Digest(), w.Manifest().Version, s.Instances
	if c != nil && c.policy == w {
		st.Signer = c.accepted.Signer
	}
	box := &control.Sandbox{Faults: map[string]uint64{}, Fuel: s.Fuel, Instances: s.Instances, Idle: s.Idle, Made: s.Made, Waits: s.Waits, Waited: s.Waited.Seconds(), WaitTimes: s.WaitTimes[:], Compile: s.Compile.Seconds(),
		Memory: s.Memory, CacheHits: s.CacheHits, LogDropped: s.LogDropped}
	for cause := wasmhost.CauseTrap; cause < wasmhost.NumCauses; cause++ {
		box.Faults[strings.ReplaceAll(cause.String(), " ", "_")] = s.Faults[cause]
	}
	st.Sandbox = box
}

func breaker(b edge.BreakerStatus) control.Breaker {
	return control.Breaker{Open: b.Open, Failures: b.Failures, Probe: moment(b.Probe)}
}

// moment is a time, nil for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func stage(s *edge.StageStatus) control.Stage {
	st := control.Stage{Stage: s.Stage.String(), Calls: s.Calls, Verdicts: map[string]uint64{}, Failed: s.Failed, Aborted: s.Aborted, Skipped: s.Skipped,
		P50: quantile(s.Latency[:], 0.5), P99: quantile(s.Latency[:], 0.99)}
	for v, n := range s.Verdicts {
		st.Verdicts[policy.Verdict(v).String()] = n
	}
	for _, n := range s.Latency {
		st.Samples += n
	}
	return st
}

// bucketBound is what everything in a bucket of latencies took less than.
func bucketBound(i int) time.Duration { return 64 << i }

// quantile returns in seconds what the share q of the calls took less than, to the
// next power of two; 0 without calls.
func quantile(buckets []uint64, q float64) float64 {
	var all uint64
	for _, n := range buckets {
		all += n
	}
	if all == 0 {
		return 0
	}
	need := uint64(q*float64(all-1)) + 1
	for i, n := range buckets {
		if n >= need {
			return bucketBound(i).Seconds()
		}
		need -= n
	}
	return bucketBound(len(buckets) - 1).Seconds()
}
