package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type guard struct{ words map[string]int }

func (g guard) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	g.words[a.Path]++
	return policy.Answer{}, nil
}

func init() { fs.Export(guard{}) }

func main() {}
