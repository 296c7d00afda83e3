package main

import (
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type guard struct{}

func (guard) Authorize(a *policy.Action) policy.Answer {
	return policy.Answer{Verdict: policy.Deny}
}

func init() { fs.Export(guard{}) }

func main() {}
