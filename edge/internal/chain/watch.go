package chain

import (
	"fmt"
	"math"
	"time"
)

// judged is how often a trial is looked at.
const judged = 250 * time.Millisecond

// watch judges a trial until it has ended.
func (c *Chain) watch(t *trial) {
	defer c.living.Done()
	tick := time.NewTicker(judged)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
		}
		ran := time.Since(t.since)
		switch why := t.breach(); {
		case why != "":
			c.finish(t, false, fmt.Sprintf("rolled back after %v: %s", ran.Round(time.Millisecond), why))
		case t.For > 0 && ran >= t.For:
			c.finish(t, true, fmt.Sprintf("promoted after %v", t.For))
		}
	}
}

// breach returns what the candidate has done that it must not, empty if nothing.
func (t *trial) breach() string {
	got, want, l := t.candidate.tally(), t.main.tally().since(t.before), t.Limits
	for _, b := range []*breaker{&t.candidate.questions, &t.candidate.events} {
		if l.Failures >= 0 && b.state.Load() == opened {
			return "its breaker opened"
		}
	}
	if l.Failures >= 0 && got.failed >= uint64(l.Failures) && percent(got.failed, got.calls) > l.FailureRate {
		return fmt.Sprintf("%d of %d calls failed", got.failed, got.calls)
	}
	if enough := uint64(max(l.MinAnswers, 1)); l.Drift >= 0 && got.asked >= enough && want.asked >= enough {
		a, b := percent(got.denied, got.asked), percent(want.denied, want.asked)
		if math.Abs(a-b) > l.Drift {
			return fmt.Sprintf("it refused %.1f %% of %d questions, the policy in force %.1f %% of %d", a, got.asked, b, want.asked)
		}
	}
	if enough := uint64(max(l.MinSamples, 1)); l.Slower >= 0 && got.samples >= enough && want.samples >= enough {
		a, b := got.p99(), want.p99()
		if a > l.Latency && float64(a) >= l.Slower*float64(b) {
			return fmt.Sprintf("it answers within %v, the policy in force within %v (99 of 100 calls)", a, b)
		}
	}
	return ""
}

func percent(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}
