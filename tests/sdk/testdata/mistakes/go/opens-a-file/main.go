package main

import (
	"context"
	"os"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type guard struct{}

func (guard) Authorize(context.Context, *policy.Action) (policy.Answer, error) {
	list, err := os.ReadFile("/etc/denied")
	return policy.Answer{Text: string(list)}, err
}

func init() { fs.Export(guard{}) }

func main() {}
