package chain

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// meter counts one module's calls at one stage. Every field is counted when the
// call has ended.
type meter struct {
	calls    atomic.Uint64
	verdicts [policy.Hide + 1]atomic.Uint64 // but for Pass, which is what is left
	failed   atomic.Uint64
	aborted  atomic.Uint64 // whose caller went away meanwhile
	skipped  atomic.Uint64 // not called, as the breaker was open
	latency  [Buckets]atomic.Uint64
}

// Buckets is the number of buckets in StageStatus.Latency.
const Buckets = 32

// bucket returns where a duration is counted: bucket i holds what took less than
// 64 ns << i, and no less than half of that.
func bucket(d time.Duration) int {
	return min(max(bits.Len64(uint64(max(d, 0)))-6, 0), Buckets-1)
}

// bound is the duration that everything in a bucket is below.
func bound(i int) time.Duration { return 64 << i }

// count ends a call that failed, or whose answer was v.
func (t *meter) count(v policy.Verdict, failed, aborted bool) {
	switch {
	case aborted:
		t.aborted.Add(1)
	case failed:
		t.failed.Add(1)
	case v != policy.Pass && int(v) < len(t.verdicts):
		t.verdicts[v].Add(1)
	}
	t.calls.Add(1)
}

// StageStatus counts what one policy has done at one stage. Numbers are exact
// when nothing runs.
type StageStatus struct {
	Stage    policy.Stage // at which
	Calls    uint64       // that have ended
	Verdicts [policy.Hide + 1]uint64
	Failed   uint64 // calls that ended in an error
	Aborted  uint64 // calls that did as well, but because the client had gone
	Skipped  uint64 // questions that were not put, as the breaker was open
	// Latency counts the calls whose time was taken, one in 64: entry i those that
	// took less than 64 ns << i and no less than half of that; the last one holds
	// all that is longer.
	Latency [Buckets]uint64
}

// status reads the meter. Pass is what is left of the calls.
func (t *meter) status(stage policy.Stage) StageStatus {
	st := StageStatus{Stage: stage, Calls: t.calls.Load(), Failed: t.failed.Load(), Aborted: t.aborted.Load(), Skipped: t.skipped.Load()}
	rest := st.Failed + st.Aborted
	for v := policy.Allow; v <= policy.Hide; v++ {
		st.Verdicts[v] = t.verdicts[v].Load()
		rest += st.Verdicts[v]
	}
	if st.Calls > rest {
		st.Verdicts[policy.Pass] = st.Calls - rest
	}
	for i := range t.latency {
		st.Latency[i] = t.latency[i].Load()
	}
	return st
}

// tally sums up what a trial is judged by.
type tally struct {
	calls, failed uint64 // at all stages
	asked, denied uint64 // questions that have been decided
	latency       [Buckets]uint64
	samples       uint64
}

// tally reads all meters of a module.
func (m *module) tally() tally {
	var t tally
	for s := range m.meters {
		stage := policy.Stage(s)
		st := m.meters[s].status(stage)
		t.calls += st.Calls
		t.failed += st.Failed
		if stage == policy.StageEvent || stage == policy.StageData || stage == policy.StageThrottle {
			continue // so many that they would hide the rest
		}
		t.asked += st.Calls - min(st.Failed+st.Aborted, st.Calls)
		t.denied += st.Verdicts[policy.Deny] + st.Verdicts[policy.Hide]
		for i, n := range st.Latency {
			t.latency[i] += n
			t.samples += n
		}
	}
	return t
}

// since is what was counted after before.
func (t tally) since(before tally) tally {
	t.calls -= before.calls
	t.failed -= before.failed
	t.asked -= min(before.asked, t.asked)
	t.denied -= before.denied
	t.samples -= before.samples
	for i := range t.latency {
		t.latency[i] -= before.latency[i]
	}
	return t
}

// p99 returns what 99 of 100 sampled calls were below, to the next power of two.
func (t tally) p99() time.Duration {
	left := t.samples / 100
	for i := Buckets - 1; i >= 0; i-- {
		if t.latency[i] > left {
			return bound(i)
		}
		left -= t.latency[i]
	}
	return 0
}
