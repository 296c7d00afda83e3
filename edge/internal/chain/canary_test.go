package chain_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// changes are the trials that have ended.
type changes struct {
	mu  sync.Mutex
	all []chain.Change
}

func (c *changes) add(ch chain.Change) {
	c.mu.Lock()
	c.all = append(c.all, ch)
	c.mu.Unlock()
}

func (c *changes) list() []chain.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// watched makes a chain of one policy, and what returns the trials that have ended.
func watched(t testing.TB, p policy.Policy) (*chain.Chain, func() []chain.Change) {
	var ended changes
	return with(t, chain.Config{Notify: ended.add}, chain.Slot{Name: "a", Policy: p}), ended.list
}

func canary(t testing.TB, c *chain.Chain, p policy.Policy, conf chain.Trial) {
	t.Helper()
	if _, err := c.Canary("a", p, conf); err != nil {
		t.Fatal(err)
	}
}

// TestCanaryShare holds that about the share that was asked for is the candidate's,
// always the same sessions, and that both policies stay open until it is decided.
func TestCanaryShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, percent := range []int{1, 10, 50, 99, 100} {
			old, next := labelled("old"), labelled("next")
			c, _ := watched(t, old)
			canary(t, c, next, chain.Trial{Percent: percent})
			n := 0
			for session := range uint64(10_000) {
				first, second := label(t, c, session+1), label(t, c, session+1)
				if first != second {
					t.Fatalf("session %d was judged by two", session)
				}
				if first == "next" {
					n++
				}
			}
			if n < percent*100-20 || n > percent*100+20 {
				t.Errorf("%d of 10,000 sessions for %d percent", n, percent)
			}
			if want := map[bool]string{true: "next", false: "old"}[percent == 100]; label(t, c, 0) != want {
				t.Errorf("%d percent: what belongs to no session is not %s's", percent, want)
			}
			st := c.Status()[0]
			if st.Generation != 1 || st.Trial == nil || st.Trial.Percent != percent || st.Trial.Candidate.Generation != 2 ||
				int(st.Trial.Candidate.Calls) < 2*n || !st.Trial.Until.IsZero() {
				t.Errorf("%+v", st)
			}
			c.Close()
			if old.closed.Load() != 1 || next.closed.Load() != 1 {
				t.Error("a policy was not closed once")
			}
		}
	})
}

// TestCanaryPromote covers the end by hand and the end by time.
func TestCanaryPromote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[string]*fake{"1": labelled("1"), "2": labelled("2"), "3": labelled("3")}
		c, changes := watched(t, all["1"])
		canary(t, c, all["2"], chain.Trial{Percent: 50})
		held := c.Lease(2) // of the one or the other
		if n, err := c.Promote("a"); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		for session := range uint64(100) {
			if label(t, c, session) != "2" {
				t.Fatal("the candidate is not in force")
			}
		}
		held.Release()
		synctest.Wait()
		open(t, all, "2", "3")
		canary(t, c, all["3"], chain.Trial{For: time.Hour})
		if until := c.Status()[0].Trial.Until; !until.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("until %v", until)
		}
		<-time.After(time.Hour - time.Second)
		if label(t, c, 1) != "3" || c.Status()[0].Generation != 2 {
			t.Error("it was promoted early")
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		open(t, all, "3")
		if st := c.Status()[0]; st.Generation != 3 || st.Trial != nil {
			t.Errorf("%+v", st)
		}
		if len(changes()) != 2 || changes()[1].Kind != policy.EventPolicySwapped || changes()[1].Generation != 3 ||
			changes()[1].Name != "a" || changes()[1].Text != "promoted after 1h0m0s" {
			t.Errorf("%+v", changes())
		}
	})
}

// TestCanaryRollback holds that the old policy is in force at once for everybody,
// for what a lease has still to ask too, and that the number is not used again.
func TestCanaryRollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[string]*fake{"old": labelled("old"), "bad": labelled("bad"), "next": labelled("next")}
		c, changes := watched(t, all["old"])
		canary(t, c, all["bad"], chain.Trial{})
		l := c.Lease(1)
		if who(t, l) != "bad" {
			t.Error("the candidate does not judge")
		}
		if n, err := c.Rollback("a"); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		synctest.Wait()
		open(t, all, "old", "next")
		if label(t, c, 1) != "old" || who(t, l) != "old" || c.Draining() != 0 {
			t.Error("the candidate still judges")
		}
		l.Release()
		if n, err := c.Swap("a", all["next"]); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if len(changes()) != 1 || changes()[0] != (chain.Change{Kind: policy.EventPolicyRolledBack, Name: "a", Generation: 1,
			Candidate: 2, Text: "rolled back by the operator"}) {
			t.Errorf("%+v", changes())
		}
	})
}

// TestRollbackKeepsFilters holds that the bytes of a running transfer go on through
// the candidate that they began with.
func TestRollbackKeepsFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := watched(t, labelled("old"))
		bad := guard("bad")
		canary(t, c, bad, chain.Trial{})
		l := c.Lease(1)
		if _, err := c.Rollback("a"); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		if who(t, l) != "bad" || label(t, c, 1) != "old" || bad.closed.Load() != 0 {
			t.Error("the transfer lost its filter")
		}
		l.Release()
		synctest.Wait()
		if bad.closed.Load() != 1 {
			t.Error("the candidate was not closed")
		}
	})
}

func TestTrialRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := watched(t, labelled("old"))
		mine := labelled("mine")
		for _, conf := range []chain.Trial{{Percent: -1}, {Percent: 101}, {For: -1}} {
			if _, err := c.Canary("a", mine, conf); err == nil {
				t.Errorf("%+v", conf)
			}
		}
		if _, err := c.Canary("z", mine, chain.Trial{}); !errors.Is(err, chain.ErrNoSlot) {
			t.Errorf("%v", err)
		}
		canary(t, c, labelled("next"), chain.Trial{Percent: 1})
		_, swapped := c.Swap("a", mine)
		_, all := c.SwapAll(chain.Slot{Name: "a", Policy: mine})
		_, second := c.Canary("a", mine, chain.Trial{})
		for _, err := range []error{swapped, all, second, c.Replace()} {
			if !errors.Is(err, chain.ErrTrial) || !strings.Contains(err.Error(), `"a"`) {
				t.Errorf("during a trial: %v", err)
			}
		}
		if _, err := c.Promote("b"); !errors.Is(err, chain.ErrNoTrial) {
			t.Errorf("another slot: %v", err)
		}
		if _, err := c.Rollback("a"); err != nil {
			t.Error(err)
		}
		if _, err := c.Rollback("a"); !errors.Is(err, chain.ErrNoTrial) {
			t.Errorf("a second time: %v", err)
		}
		c.Close()
		if _, err := c.Canary("a", mine, chain.Trial{}); !errors.Is(err, chain.ErrClosed) || mine.closed.Load() != 0 {
			t.Errorf("%v", err)
		}
	})
}
