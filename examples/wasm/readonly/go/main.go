// Readonly is a policy that refuses every operation that would change something,
// whatever the users' permissions say.
package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type readonly struct{}

// Authorize lets pass what is known to change nothing. An operation of a later
// server is refused until somebody has decided about it.
func (readonly) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	switch a.Op {
	case policy.OpStat, policy.OpList, policy.OpRead, policy.OpCwd, policy.OpReadlink, policy.OpHash:
		return policy.Answer{}, nil
	}
	return policy.Answer{Verdict: policy.Deny, Text: "this server is read-only"}, nil
}

func init() { fs.Export(readonly{}) }

func main() {}
