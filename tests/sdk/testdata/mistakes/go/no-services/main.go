package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type guard struct{}

func (guard) Authorize(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	_, err := policy.ServicesOf(ctx).Stat(ctx, a.Path)
	return policy.Answer{}, err
}

func init() { fs.Export(guard{}) }

func main() {}
