package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
	"github.com/edgeftp/edgeftp/guest-sdk/go/kv"
)

type guard struct{ seen policy.KV }

func (g guard) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	_, err := g.seen.Incr(a.Path, 1, 0)
	return policy.Answer{}, err
}

func init() { fs.Export(guard{kv.Open()}) }

func main() {}
