package chain_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

var errTrap = errors.New("trapped")

// moody fails while broken is set.
func moody(broken *bool) *fake {
	return &fake{name: "moody", fs: func(*policy.Action) (policy.Answer, error) {
		if *broken {
			return policy.Answer{}, errTrap
		}
		return policy.Answer{Verdict: policy.Allow, Label: "moody"}, nil
	}}
}

// TestBreaker follows a policy that fails, is left alone, is probed after 1, 2, 4
// seconds and so on up to 60, and comes back.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		p := moody(&broken)
		c := start(t, p)
		for n := range 10 {
			if _, d := ask(c, uint64(n%3)); d == nil || !errors.Is(d.Cause, errTrap) {
				t.Fatalf("failure %d: %v", n, d)
			}
		}
		pause := time.Second
		for range 9 {
			asked := p.asked.Load()
			<-time.After(pause - 1)
			for range 100 {
				if _, d := ask(c, 7); d == nil || !d.Failed || d.Policy != "a" || !strings.HasPrefix(d.Cause.Error(), "breaker open") {
					t.Fatalf("while open: %+v", d)
				}
			}
			if p.asked.Load() != asked {
				t.Fatalf("called %d times before %v were over", p.asked.Load()-asked, pause)
			}
			<-time.After(1)
			if _, d := ask(c, 7); d == nil || !errors.Is(d.Cause, errTrap) {
				t.Fatalf("no probe after %v: %v", pause, d)
			}
			pause = min(2*pause, time.Minute)
		}
		if st := c.Status()[0]; !st.Breaker.Open || st.Breaker.Failures != 10 || st.Failed != 19 || st.Skipped != 900 || st.Observer.Open {
			t.Errorf("%+v", st)
		}
		broken = false
		<-time.After(time.Minute)
		if got := label(t, c, 7); got != "moody" {
			t.Error("the probe was not answered")
		}
		if st := c.Status()[0].Breaker; st.Open || st.Failures != 0 {
			t.Errorf("a success did not close it: %+v", st)
		}
		label(t, c, 8)
	})
}

// TestBreakerOneProbe holds that a probe which takes its time is alone, and that
// what began before the breaker opened says nothing.
func TestBreakerOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, goOn := false, make(chan error)
		p := &fake{fs: func(q *policy.Action) (policy.Answer, error) {
			if slow || q.Session.ID == 99 {
				return policy.Answer{}, <-goOn
			}
			return policy.Answer{}, errTrap
		}}
		c := start(t, p)
		done := make(chan struct{}, 2)
		early := func(session uint64) { _, _ = ask(c, session); done <- struct{}{} }
		go early(99)
		synctest.Wait()
		for n := range 10 {
			_, _ = ask(c, uint64(n))
		}
		goOn <- nil // the early one succeeds
		<-done
		if !c.Status()[0].Breaker.Open {
			t.Fatal("a success of before has closed the breaker")
		}
		<-time.After(time.Second)
		slow = true
		go early(1)
		synctest.Wait()
		asked := p.asked.Load()
		for range 10 {
			if _, d := ask(c, 2); d == nil {
				t.Fatal("a second probe was made")
			}
		}
		if p.asked.Load() != asked {
			t.Error("the policy was asked beside the probe")
		}
		goOn <- nil
		<-done
		if c.Status()[0].Breaker.Open {
			t.Error("the probe did not close the breaker")
		}
	})
}

// TestBreakerSessions holds that one or two clients cannot open it, that a success
// begins the row anew, and that clients who go away are not the policy's fault.
func TestBreakerSessions(t *testing.T) {
	broken := true
	p := moody(&broken)
	c := start(t, p)
	for n := range 1000 {
		_, _ = ask(c, uint64(n%2))
	}
	if st := c.Status()[0].Breaker; st.Open || st.Failures != 1000 {
		t.Errorf("two sessions: %+v", st)
	}
	broken = false
	label(t, c, 1)
	broken = true
	for n := range 9 {
		_, _ = ask(c, uint64(n))
	}
	if c.Status()[0].Breaker.Open {
		t.Error("nine failures opened it")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l := c.Lease(1)
	for n := range 20 {
		if _, d := l.Authorize(ctx, of(uint64(n), policy.OpRead, "/p")); d == nil {
			t.Error("no refusal")
		}
	}
	l.Release()
	st := c.Status()[0]
	if st.Breaker.Open || stage(t, st, policy.StageFS).Aborted != 20 {
		t.Errorf("clients that went away: %+v", st)
	}
}

func TestBreakerOptions(t *testing.T) {
	broken := true
	c := with(t, chain.Config{}, chain.Slot{Name: "never", Policy: moody(&broken), Options: chain.Options{Breaker: chain.Breaker{Failures: -1}}})
	for n := range 100 {
		if _, d := ask(c, uint64(n)); !errors.Is(d.Cause, errTrap) {
			t.Fatal(d)
		}
	}
	c = with(t, chain.Config{}, chain.Slot{Name: "soon", Policy: moody(&broken), Options: chain.Options{Breaker: chain.Breaker{Failures: 2, Sessions: 1}}})
	for range 2 {
		_, _ = ask(c, 1)
	}
	if !c.Status()[0].Breaker.Open {
		t.Error("two failures of one session did not open it")
	}
}

// TestFailOpenTells holds that the log tells of failures which refused nothing, once
// a second.
func TestFailOpenTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		var out bytes.Buffer
		c := with(t, chain.Config{Log: slog.New(slog.NewTextHandler(&out, nil))},
			chain.Slot{Name: "a", Policy: moody(&broken), Options: chain.Options{FailOpen: []policy.Stage{policy.StageFS}}},
			chain.Slot{Name: "b", Policy: labelled("b")})
		for second := range 2 {
			for range 3 {
				label(t, c, 7)
			}
			if lines := strings.Count(out.String(), "which refused nothing"); lines != second+1 {
				t.Errorf("%d lines after %d s:\n%s", lines, second, &out)
			}
			<-time.After(time.Second)
		}
		for _, word := range []string{"policy=a policy_gen=1 stage=fs sess=7 failed=1 error=", "failed=4"} {
			if !strings.Contains(out.String(), word) {
				t.Errorf("no %q in\n%s", word, &out)
			}
		}
	})
}

// TestFailOpen holds that a stage which fails open goes on as if the policy had no
// opinion, with the breaker closed and open, and that those which grant cannot.
func TestFailOpen(t *testing.T) {
	broken := true
	p := moody(&broken)
	c := with(t, chain.Config{}, chain.Slot{Name: "a", Policy: p, Options: chain.Options{FailOpen: []policy.Stage{policy.StageFS}}},
		chain.Slot{Name: "b", Policy: labelled("b")})
	for n := range 20 {
		if got := label(t, c, uint64(n)); got != "b" {
			t.Errorf("the answer is %q's", got)
		}
	}
	if st := c.Status()[0]; p.asked.Load() != 10 || st.Failed != 10 || st.Skipped != 10 {
		t.Errorf("asked %d times: %+v", p.asked.Load(), st)
	}
	for _, s := range []policy.Stage{0, policy.StageAuth, policy.StageCert, policy.StageIdle, policy.NumStages} {
		bad := chain.Slot{Name: "a", Policy: labelled("x"), Options: chain.Options{FailOpen: []policy.Stage{s}}}
		if _, err := chain.New(chain.Config{Clean: clean}, bad); err == nil {
			t.Errorf("stage %d fails open", s)
		}
		if _, err := c.SwapAll(bad); err == nil || label(t, c, 1) != "b" {
			t.Errorf("stage %d fails open after a swap: %v", s, err)
		}
	}
	if _, err := c.Swap("a", moody(&broken)); err != nil {
		t.Fatal(err)
	}
	if label(t, c, 1) != "b" {
		t.Error("a swap lost the slot's options")
	}
}

// TestObserverBreaker holds that a log which cannot be written loses its events and
// refuses nothing.
func TestObserverBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := labelled("a")
		p.observe = func(context.Context, *policy.Event) error { return errTrap }
		c := start(t, p)
		l := c.Lease(1)
		defer l.Release()
		for n := range uint64(50) {
			e := event(n)
			e.Session.ID = n
			l.Observe(e)
		}
		<-time.After(10 * time.Millisecond) // what follows the first may gather for a moment
		synctest.Wait()
		st := c.Status()[0]
		if st.Events.Lost != 50 || st.Failed != 10 || !st.Observer.Open || st.Breaker.Open {
			t.Errorf("%+v", st)
		}
		label(t, c, 1)
	})
}

// TestBreakerStorm has eight sessions trap as fast as they can: only the failures
// that open the breaker, and those that ran beside them, reach the policy, and
// another one is asked as before.
func TestBreakerStorm(t *testing.T) {
	broken := true
	p, other := moody(&broken), labelled("b")
	c := with(t, chain.Config{}, chain.Slot{Name: "b", Policy: other},
		chain.Slot{Name: "a", Policy: p, Options: chain.Options{Breaker: chain.Breaker{Pause: time.Hour, MaxPause: time.Hour}}})
	done := make(chan struct{})
	began := time.Now()
	for s := range uint64(8) {
		go func() {
			for n := range uint64(10_000) {
				_, _ = ask(c, s+n%3)
			}
			done <- struct{}{}
		}()
	}
	for range 8 {
		<-done
	}
	t.Logf("80,000 questions in %v, %d reached the policy that traps", time.Since(began), p.asked.Load())
	if n := p.asked.Load(); n < 10 || n > 10+8 {
		t.Errorf("%d calls", n)
	}
	if other.asked.Load() != 80_000 || c.Status()[0].Failed != 0 {
		t.Errorf("the other was asked %d times", other.asked.Load())
	}
}
