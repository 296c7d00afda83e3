package edgeftp_test

import (
	"context"
	"fmt"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/fs" // the stages of the policy
)

// archive is an ordinary policy, as a server that links it natively takes it.
type archive struct{}

func (archive) Name() string { return "archive" }

func (a archive) Hooks() policy.Hooks { return policy.Hooks{Authorizer: a} }

func (archive) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	if a.Op == policy.OpDelete {
		return policy.Answer{Verdict: policy.Deny, Text: "nothing is deleted here"}, nil
	}
	return policy.Answer{}, nil
}

// This line makes the policy a module.
func init() { edgeftp.Export(archive{}) }

// An ordinary policy becomes a module with one line, and is asked natively in its
// tests.
func Example() {
	answer, err := archive{}.Authorize(context.Background(), &policy.Action{Op: policy.OpDelete, Path: "/a"})
	fmt.Println(answer.Verdict, answer.Text, err)
	// Output: deny nothing is deleted here <nil>
}
