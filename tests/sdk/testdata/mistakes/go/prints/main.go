package main

import (
	"context"
	"fmt"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type guard struct{}

func (guard) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	fmt.Println("asked about", a.Path)
	return policy.Answer{}, nil
}

func init() { fs.Export(guard{}) }

func main() {}
