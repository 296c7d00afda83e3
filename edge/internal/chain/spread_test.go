package chain_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// noop is a native policy that does nothing, as cheaply as can be.
type noop struct{}

func (noop) Name() string          { return "noop" }
func (n noop) Hooks() policy.Hooks { return policy.Hooks{Authorizer: n} }
func (noop) Authorize(context.Context, *policy.Action) (policy.Answer, error) {
	return policy.Answer{}, nil
}

// spread keeps the last times that were measured.
type spread struct {
	times []time.Duration
	n     int
}

func newSpread() *spread { return &spread{times: make([]time.Duration, 1<<16)} }

func (s *spread) add(d time.Duration) {
	s.times[s.n%len(s.times)] = d
	s.n++
}

func (s *spread) p99() time.Duration {
	if s.n == 0 {
		return 0
	}
	times := slices.Clone(s.times[:min(s.n, len(s.times))])
	slices.Sort(times)
	return times[len(times)*99/100]
}

// BenchmarkAuthorize is what a question costs whose one policy has no opinion: under
// a lease that is held, and with a lease of its own.
func BenchmarkAuthorize(b *testing.B) {
	c := start(b, noop{})
	q := action(policy.OpRead, "/dir/file")
	ctx := b.Context()
	b.Run("held", func(b *testing.B) {
		l := c.Lease(1)
		defer l.Release()
		b.ReportAllocs()
		for b.Loop() {
			_, _ = l.Authorize(ctx, q)
		}
	})
	b.Run("leased", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l := c.Lease(1)
			_, _ = l.Authorize(ctx, q)
			l.Release()
		}
	})
}

// TestAuthorizeAllocatesNothing holds that neither a lease nor a question costs
// memory, with what is counted.
func TestAuthorizeAllocatesNothing(t *testing.T) {
	c := start(t, noop{}, noop{}, noop{})
	q := action(policy.OpRead, "/dir/file")
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		l := c.Lease(1)
		_, _ = l.Authorize(ctx, q)
		l.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
