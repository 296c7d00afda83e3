package edge_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// slow lets everybody's uploads through at one rate (the model's
// ThrottledDTPHandler). What a policy answers narrows what the login has.
type slow struct{ rate int64 }

func (s slow) Name() string        { return "slow" }
func (s slow) Hooks() policy.Hooks { return policy.Hooks{Authorizer: s} }

func (s slow) Authorize(context.Context, *policy.Action) (policy.Answer, error) {
	return policy.Answer{Limits: policy.Limits{RateUp: s.rate, MaxFileSize: 1000}}, nil
}

// Rates and sizes are limits of a login (policy.Identity.Limits) or of a single
// operation (policy.Answer.Limits).
func Example_limits() {
	conf := basic()
	conf.Policies = append(conf.Policies, edge.Slot{Name: "slow", Policy: slow{rate: 2000}})
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		start := time.Now()
		c.put("STOR a.txt", strings.Repeat("x", 1000))
		fmt.Println("took its time:", time.Since(start) > 200*time.Millisecond)
		c.put("STOR b.txt", strings.Repeat("x", 1001))
	})
	// Output:
	// > STOR a.txt
	// < 226 Transfer complete.
	// took its time: true
	// > STOR b.txt
	// < 552 The file is larger than you may store.
}
