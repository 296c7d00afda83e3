package pi

import (
	"context"
	"testing"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

type content struct{ admitAll }

func (c content) Hooks() policy.Hooks { return policy.Hooks{Authorizer: c} }

func (content) Authorize(context.Context, *policy.Action) (policy.Answer, error) {
	return policy.Answer{}, nil
}

// BenchmarkAsk is the cost of an operation's question by the session, over a
// filesystem in memory and one native policy.
func BenchmarkAsk(b *testing.B) {
	bench := newBench(b, func(c *Config) {
		c.Chain.Close()
		c.Chain, _ = chain.New(chain.Config{Clean: func(s string) (string, error) { return s, nil }}, chain.Slot{Name: "a", Policy: content{}})
	})
	defer bench.conf.Chain.Close()
	defer bench.client.Close()
	bench.files("/f")
	s := bench.sess
	s.rank.perms = policy.PermAll
	s.lease = s.conf.Chain.Lease(1)
	defer s.lease.Release()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Ask(Question{Op: policy.OpStat, Perm: policy.PermList, Path: "/f"}); err != nil {
			b.Fatal(err)
		}
	}
}
