package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type guard struct{}

func (guard) Authorize(context.Context, *policy.Action) (policy.Answer, error) {
	return policy.Answer{}, nil
}

func main() {}
