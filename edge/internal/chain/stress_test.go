package chain_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// stress counts what happens to the policies of one run.
type stress struct {
	mu   sync.Mutex
	made []*fake

	failed atomic.Int64
	calls  atomic.Int64
}

// policy makes one more policy that takes part in all stages.
func (s *stress) policy() *fake {
	f := &fake{
		auth:    func(*policy.Login) (policy.Identity, error) { return policy.Identity{Verdict: policy.Allow}, nil },
		fs:      func(*policy.Action) (policy.Answer, error) { return policy.Answer{Verdict: policy.Allow}, nil },
		observe: func(context.Context, *policy.Event) error { return nil },
	}
	s.mu.Lock()
	s.made = append(s.made, f)
	s.mu.Unlock()
	return f
}

// use takes leases and asks until ctx ends; some leases are held for a while.
func (s *stress) use(ctx context.Context, c *chain.Chain) {
	var held []chain.Lease
	for n := uint64(0); ctx.Err() == nil; n++ {
		l := c.Lease(n)
		_, a := l.Authenticate(ctx, login("joe"))
		_, b := l.Authorize(ctx, action(policy.OpRead, "/p"))
		l.Observe(event(n))
		if a != nil || b != nil || !l.Held() {
			s.failed.Add(1)
		}
		s.calls.Add(2)
		if rand.IntN(4) > 0 {
			l.Release()
			continue
		}
		held = append(held, l)
		if i := rand.IntN(len(held)); len(held) > 8 {
			if _, d := held[i].Authorize(ctx, action(policy.OpCommit, "/p")); d != nil {
				s.failed.Add(1)
			}
			held[i].Release()
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
		}
	}
	for _, l := range held {
		l.Release()
	}
}

// times is how often something is done: four times as often with EDGEFTP_FULL=1 in the
// environment, ten times less with -short.
func times(n int) int {
	switch {
	case os.Getenv("EDGEFTP_FULL") != "":
		return 4 * n
	case testing.Short():
		return n / 10
	}
	return n
}

// TestStress swaps a thousand times under leases and questions, with a drain
// limit so short that generations are taken away from under their leases as
// well.
func TestStress(t *testing.T) {
	for _, limit := range []time.Duration{time.Hour, 50 * time.Microsecond} {
		t.Run(limit.String(), func(t *testing.T) {
			var s stress
			conf := chain.Config{Clean: clean, DrainLimit: limit, Log: slog.New(slog.DiscardHandler)}
			c, err := chain.New(conf, slots(s.policy(), s.policy(), s.policy())...)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var users sync.WaitGroup
			for range 8 {
				users.Go(func() { s.use(ctx, c) })
			}
			swaps := times(1000)
			var swappers sync.WaitGroup
			for _, name := range []string{"a", "b"} {
				swappers.Go(func() {
					for range swaps / 2 {
						if _, err := c.Swap(name, s.policy()); err != nil {
							s.failed.Add(1)
						}
						_ = c.Status()
					}
				})
			}
			swappers.Wait()
			cancel()
			users.Wait()
			c.Close()
			if c.Draining() != 0 {
				t.Errorf("%d generations drain after Close", c.Draining())
			}
			t.Logf("%d calls", s.calls.Load())
			s.check(t, swaps+3)
		})
	}
}

// TestStressTrials puts candidates on trial one after the other, ends the trials in
// all ways, and swaps between them, under leases and questions of many sessions.
func TestStressTrials(t *testing.T) {
	for _, limit := range []time.Duration{time.Hour, 50 * time.Microsecond} {
		t.Run(limit.String(), func(t *testing.T) {
			var s stress
			conf := chain.Config{Clean: clean, DrainLimit: limit, Log: slog.New(slog.DiscardHandler)}
			c, err := chain.New(conf, slots(s.policy(), s.policy())...)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var users sync.WaitGroup
			for range 8 {
				users.Go(func() { s.use(ctx, c) })
			}
			rounds := times(125)
			for n := range rounds {
				if _, err := c.Canary("a", s.policy(), chain.Trial{Percent: 1 + n%100}); err != nil {
					t.Fatal(err)
				}
				end := c.Rollback
				if n%2 == 0 {
					end = c.Promote
				}
				if _, err := end("a"); err != nil {
					t.Fatal(err)
				}
				if _, err := c.SwapAll(chain.Slot{Name: "a", Policy: s.policy()}, chain.Slot{Name: "b", Policy: s.policy()}); err != nil {
					t.Fatal(err)
				}
				if err := c.Shadow("b", s.policy()); err != nil {
					t.Fatal(err)
				}
				if _, err := c.EndShadow("b"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := c.Canary("a", s.policy(), chain.Trial{Percent: 50}); err != nil {
				t.Fatal(err)
			}
			cancel()
			users.Wait()
			c.Close()
			s.check(t, 3+4*rounds)
		})
	}
}

// check fails unless each policy was closed once, after its last call.
func (s *stress) check(t *testing.T, policies int) {
	t.Helper()
	if s.failed.Load() != 0 {
		t.Errorf("%d of %d calls failed", s.failed.Load(), s.calls.Load())
	}
	if len(s.made) != policies {
		t.Errorf("%d policies, want %d", len(s.made), policies)
	}
	for i, f := range s.made {
		if f.closed.Load() != 1 || f.late.Load() != 0 {
			t.Fatalf("policy %d of %d: closed %d times, called %d times after that", i, len(s.made), f.closed.Load(), f.late.Load())
		}
	}
}

// TestStressClose closes the chain under full use and in the middle of swaps:
// questions fail then, but no policy is asked after its end.
func TestStressClose(t *testing.T) {
	for range 8 {
		var s stress
		c, err := chain.New(chain.Config{Clean: clean, Log: slog.New(slog.DiscardHandler)}, slots(s.policy())...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() { s.use(ctx, c) })
		}
		warm := make(chan struct{})
		users.Go(func() {
			for n := 0; ; n++ {
				p := s.policy()
				if _, err := c.Swap("a", p); err != nil {
					_ = p.Close() // still the caller's
					return
				}
				if n == 20 {
					close(warm)
				}
			}
		})
		<-warm
		c.Close()
		cancel()
		users.Wait()
		s.failed.Store(0)
		s.check(t, len(s.made))
	}
}

// BenchmarkLease is what a command pays for its policies when one native policy
// has an opinion: lease, one question, release.
func BenchmarkLease(b *testing.B) {
	c := start(b, says(policy.Answer{Verdict: policy.Allow}))
	q := action(policy.OpRead, "/dir/file")
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		l := c.Lease(1)
		if _, d := l.Authorize(ctx, q); d != nil {
			b.Fatal(d)
		}
		l.Release()
	}
}

// BenchmarkLeaseParallel is the same from all cores.
func BenchmarkLeaseParallel(b *testing.B) {
	c := start(b, says(policy.Answer{Verdict: policy.Allow}))
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		q := action(policy.OpRead, "/dir/file")
		for pb.Next() {
			l := c.Lease(1)
			if _, d := l.Authorize(ctx, q); d != nil {
				b.Error(d)
			}
			l.Release()
		}
	})
}
