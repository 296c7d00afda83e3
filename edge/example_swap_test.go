package edge_test

import (
	"context"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// closed refuses whatever changes something.
type closed struct{ why string }

func (c closed) Name() string        { return "closed" }
func (c closed) Hooks() policy.Hooks { return policy.Hooks{Authorizer: c} }

func (c closed) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	switch a.Op {
	case policy.OpStat, policy.OpList, policy.OpRead, policy.OpCwd, policy.OpReadlink, policy.OpHash:
		return policy.Answer{}, nil
	}
	return policy.Answer{Verdict: policy.Deny, Text: c.why}, nil
}

// A policy can be put in the place of another one while sessions and transfers
// go on.
func ExampleServer_Swap() {
	conf := basic()
	conf.Policies = append(conf.Policies, edge.Slot{Name: "hours", Policy: open{}})
	srv := must(edge.New(conf))
	serve(srv, func(c *client) {
		c.login()
		c.say("MKD a")
		must(srv.Swap("hours", closed{"Closed for the night."}))
		c.say("MKD b", "CWD a")
	})
	// Output:
	// > MKD a
	// < 257 "/a" was made.
	// > MKD b
	// < 550 Closed for the night.
	// > CWD a
	// < 250 "/a" is the working directory.
}

// open takes part in nothing.
type open struct{}

func (open) Name() string        { return "open" }
func (open) Hooks() policy.Hooks { return policy.Hooks{} }
