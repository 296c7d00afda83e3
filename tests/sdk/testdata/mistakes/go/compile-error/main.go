package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type guard struct{}

func (guard) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	if a.Operation == policy.OpWrite {
		return policy.Answer{Verdict: policy.Deny}, nil
	}
	return policy.Answer{}, nil
}

func init() { fs.Export(guard{}) }

func main() {}
