package chain_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// every answers its first questions in good, and from then on every nth one in bad
// way.
func every(nth int64, good, bad func() (policy.Answer, error)) *fake {
	f := &fake{}
	f.fs = func(*policy.Action) (policy.Answer, error) {
		if f.asked.Load()%nth == 0 {
			return bad()
		}
		return good()
	}
	return f
}

func allows() (policy.Answer, error) { return policy.Answer{Verdict: policy.Allow}, nil }
func denies() (policy.Answer, error) { return policy.Answer{Verdict: policy.Deny}, nil }
func traps() (policy.Answer, error)  { return policy.Answer{}, errTrap }

func slow(d time.Duration) func() (policy.Answer, error) {
	return func() (policy.Answer, error) {
		<-time.After(d)
		return policy.Answer{Verdict: policy.Allow}, nil
	}
}

// load asks n questions of many sessions.
func load(c *chain.Chain, n int) {
	for i := range n {
		_, _ = ask(c, uint64(i)+1)
	}
}

// TestWatch has candidates misbehave in one way each, and says which of them stay.
func TestWatch(t *testing.T) {
	off := chain.Limits{Failures: -1, Drift: -1, Slower: -1}
	for _, tc := range []struct {
		name      string
		old, next *fake
		trial     chain.Trial
		why       string // of the rollback; empty: it is promoted
	}{
		{"a good one", every(1, allows, allows), every(1, allows, allows), chain.Trial{}, ""},
		{"traps", every(1, allows, allows), every(20, allows, traps), chain.Trial{}, "calls failed"},
		{"traps, of half of the sessions", every(1, allows, allows), every(20, allows, traps), chain.Trial{Percent: 50}, "calls failed"},
		{"traps in a row", every(1, allows, allows), every(1, allows, traps), chain.Trial{Limits: chain.Limits{FailureRate: 100}}, "its breaker opened"},
		{"few traps", every(1, allows, allows), every(1000, allows, traps), chain.Trial{}, ""},
		{"traps that are expected", every(1, allows, allows), every(20, allows, traps), chain.Trial{Limits: chain.Limits{FailureRate: 6}}, ""},
		{"refuses more", every(1, allows, allows), every(5, allows, denies), chain.Trial{}, "it refused 20.0 %"},
		{"refuses less", every(2, allows, denies), every(1, allows, allows), chain.Trial{Percent: 50}, "it refused 0.0 %"},
		{"refuses a little more", every(1, allows, allows), every(20, allows, denies), chain.Trial{}, ""},
		{"refuses as before", every(2, allows, denies), every(2, allows, denies), chain.Trial{Percent: 50}, ""},
		{"too few answers", every(1, allows, allows), every(2, allows, denies), chain.Trial{Limits: chain.Limits{MinAnswers: 1e6}}, ""},
		{"slower", every(1, allows, slow(time.Millisecond)), every(1, allows, slow(10*time.Millisecond)), chain.Trial{}, "it answers within"},
		{"slower, but fast", every(1, allows, allows), every(1, allows, slow(500*time.Microsecond)), chain.Trial{}, ""},
		{"a little slower", every(1, allows, slow(5*time.Millisecond)), every(1, allows, slow(8*time.Millisecond)), chain.Trial{}, ""},
		{"nobody looks", every(1, allows, allows), every(2, traps, slow(time.Second)), chain.Trial{Limits: off}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, changes := watched(t, tc.old)
				load(c, 8000)
				tc.trial.For = time.Hour
				canary(t, c, tc.next, tc.trial)
				load(c, 2000)
				<-time.After(2 * time.Second)
				synctest.Wait()
				if rolled := len(changes()) == 1 && changes()[0].Kind == policy.EventPolicyRolledBack; rolled != (tc.why != "") {
					t.Fatalf("%+v", changes())
				}
				if tc.why != "" {
					if ch := changes()[0]; ch.Generation != 1 || ch.Candidate != 2 || !strings.Contains(ch.Text, tc.why) || tc.next.closed.Load() != 1 {
						t.Errorf("%+v", ch)
					}
					return
				}
				<-time.After(time.Hour)
				synctest.Wait()
				if len(changes()) != 1 || changes()[0].Kind != policy.EventPolicySwapped || tc.old.closed.Load() != 1 {
					t.Errorf("%+v", changes())
				}
			})
		})
	}
}

// TestRollbackIsQuick measures what a candidate costs that begins to trap in the
// middle of its trial.
func TestRollbackIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := false
		c, changes := watched(t, labelled("old"))
		canary(t, c, moody(&broken), chain.Trial{For: time.Hour})
		var breach time.Time
		for n := range uint64(20_000) {
			if <-time.After(time.Millisecond); n == 10_000 {
				broken, breach = true, time.Now()
			}
			_, _ = ask(c, n+1)
			if synctest.Wait(); len(changes()) > 0 {
				break
			}
		}
		if len(changes()) != 1 || breach.IsZero() || time.Since(breach) > 2*time.Second {
			t.Fatalf("%+v, after %v", changes(), time.Since(breach))
		}
		t.Logf("%v after the first trap: %s", time.Since(breach), changes()[0].Text)
		if label(t, c, 1) != "old" {
			t.Error("the old policy is not in force")
		}
	})
}

// TestSwapIsFinal holds that traps after a plain swap bring nothing back.
func TestSwapIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		c, changes := watched(t, labelled("old"))
		swap(t, c, "a", moody(&broken))
		load(c, 1000)
		<-time.After(time.Hour)
		if _, d := ask(c, 1); d == nil || len(changes()) != 0 || c.Status()[0].Generation != 2 {
			t.Errorf("%v, %+v", d, changes())
		}
	})
}
