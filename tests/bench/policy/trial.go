package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/tests/userpi"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// storm is a server that is asked to make directories all the time.
type storm struct {
	*world
	host  *wasmhost.Host
	ends  chan edge.PolicyChange
	over  atomic.Bool
	asked []atomic.Int64 // replies, by session
	bad   atomic.Int64   // of all these, that a policy failed
	wg    sync.WaitGroup
	errs  []error
}

// trial lets a module that traps judge, first on trial, then in force.
func trial(ctx context.Context, flags *flag.FlagSet, args []string) error {
	runs := flags.Int("runs", 10, "how often each is measured")
	sessions := flags.Int("sessions", 16, "that ask")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := &storm{ends: make(chan edge.PolicyChange, 1)}
	var err error
	if s.host, err = wasmhost.New(ctx, wasmhost.Config{}); err != nil {
		return err
	}
	guard, err := s.load(ctx, "version")
	if err != nil {
		return err
	}
	other, err := s.load(ctx, "version")
	if err != nil {
		return err
	}
	// The breaker stays out of what the trial's limits are to do.
	if s.world, err = openTold(slog.DiscardHandler, func(c edge.PolicyChange) { s.ends <- c },
		edge.Slot{Name: "guard", Policy: guard, Options: edge.Options{Breaker: edge.Breaker{Failures: -1}}},
		edge.Slot{Name: "stormy", Policy: other}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.begin(*sessions, cancel); err != nil {
		return err
	}
	err = s.rollbacks(ctx, *runs)
	if err == nil {
		err = s.breaker(ctx, *runs)
	}
	s.over.Store(true)
	s.wg.Wait()
	return errors.Join(append(s.errs, err, s.stop())...)
}

func (s *storm) load(ctx context.Context, name string) (*wasmhost.Policy, error) {
	module, err := guests.Module(name)
	if err != nil {
		return nil, err
	}
	return s.host.Load(ctx, name, module, wasmhost.LoadOptions{})
}

// begin logs the sessions in and lets them ask; it cancels when one fails.
func (s *storm) begin(sessions int, cancel context.CancelFunc) error {
	s.errs, s.asked = make([]error, sessions), make([]atomic.Int64, sessions)
	for i := range sessions {
		c, err := s.connect()
		if err != nil {
			return err
		}
		s.wg.Go(func() {
			defer c.Close()
			if s.errs[i] = s.ask(c, &s.asked[i]); s.errs[i] != nil {
				cancel() // nobody is to wait for this session
			}
		})
	}
	return nil
}

func (s *storm) ask(c *userpi.Client, asked *atomic.Int64) error {
	for !s.over.Load() {
		r, err := c.Must("MKD dir", 550, 451)
		if err != nil {
			return err
		}
		if r.Code == 451 {
			s.bad.Add(1)
		}
		asked.Add(1)
	}
	return nil
}

// rollbacks times trials of a candidate that traps, for every session.
func (s *storm) rollbacks(ctx context.Context, runs int) error {
	var took, failed []float64
	for range runs {
		p, err := s.load(ctx, "traps")
		if err != nil {
			return err
		}
		bad, start := s.bad.Load(), time.Now()
		if _, err := s.Canary("guard", p, edge.Trial{}); err != nil {
			return err
		}
		select {
		case c := <-s.ends:
			if c.Kind != policy.EventPolicyRolledBack {
				return fmt.Errorf("the trial ended with %v: %s", c.Kind, c.Text)
			}
		case <-time.After(10 * time.Second):
			return errors.New("the candidate was not rolled back within 10 s")
		case <-ctx.Done():
			return ctx.Err()
		}
		took = append(took, float64(time.Since(start))/1e6)
		s.fresh(ctx, 2) // replies to what was asked before are in
		after := s.bad.Load()
		failed = append(failed, float64(after-bad))
		s.fresh(ctx, 10)
		if n := s.bad.Load() - after; n > 0 {
			return fmt.Errorf("%d questions failed after the rollback", n)
		}
	}
	fmt.Printf("A candidate that traps, on trial for all of %d sessions, is rolled back after p50 %.0f, max %.0f ms; %.0f questions failed (p50).\n",
		len(s.errs), measure.Quantile(took, 0.5), measure.Quantile(took, 1), measure.Quantile(failed, 0.5))
	return nil
}

// fresh waits until every session has had n more answers.
func (s *storm) fresh(ctx context.Context, n int64) {
	until := make([]int64, len(s.asked))
	for i := range s.asked {
		until[i] = s.asked[i].Load() + n
	}
	for i := range s.asked {
		for s.asked[i].Load() < until[i] && ctx.Err() == nil {
			wait(ctx, time.Millisecond)
		}
	}
}

// breaker swaps a module that traps in, and times how long it takes until it is no
// longer called, and what a module beside it saw.
func (s *storm) breaker(ctx context.Context, runs int) error {
	passes, err := s.load(ctx, "write-once")
	if err != nil {
		return err
	}
	if _, err := s.Swap("guard", passes); err != nil {
		return err
	}
	beside, err := s.load(ctx, "write-once-c")
	if err != nil {
		return err
	}
	defer beside.Close()
	var took, called, quiet, during []float64
	for range runs {
		quiet = decide(beside, quiet)
		p, err := s.load(ctx, "traps")
		if err != nil {
			return err
		}
		start := time.Now()
		if _, err := s.Swap("stormy", p); err != nil {
			return err
		}
		for !s.Status().Policies[2].Breaker.Open {
			if time.Since(start) > 10*time.Second || ctx.Err() != nil {
				return errors.New("the breaker did not open within 10 s")
			}
		}
		took = append(took, float64(time.Since(start))/1e6)
		called = append(called, float64(s.Status().Policies[2].Failed))
		during = decide(beside, during)
		if p, err = s.load(ctx, "version"); err != nil { // refuses by itself: calm again
			return err
		}
		if _, err := s.Swap("stormy", p); err != nil {
			return err
		}
		s.fresh(ctx, 10)
	}
	fmt.Printf("In force, it is no longer called after p50 %.1f, max %.1f ms and %.0f calls (p50). A module beside it decides in p50 %.0f, p99 %.0f ns before, in %.0f, %.0f ns while the questions go on.\n",
		measure.Quantile(took, 0.5), measure.Quantile(took, 1), measure.Quantile(called, 0.5),
		measure.Quantile(quiet, 0.5), measure.Quantile(quiet, 0.99), measure.Quantile(during, 0.5), measure.Quantile(during, 0.99))
	return nil
}

// decide times 100,000 decisions of a policy by hundreds and adds what one took.
func decide(p *wasmhost.Policy, to []float64) []float64 {
	fs, q := p.Hooks().Authorizer, guests.Question(true)
	for range 1000 {
		start := time.Now()
		for range 100 {
			if a, err := fs.Authorize(context.Background(), q); err != nil || a.Verdict != policy.Deny {
				panic(fmt.Sprintf("the policy beside it: %v, %v", a.Verdict, err)) // nothing after this would mean anything
			}
		}
		to = append(to, float64(time.Since(start))/100)
	}
	return to
}
