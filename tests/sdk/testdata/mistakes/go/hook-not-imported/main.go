package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/event"
)

type guard struct{}

func (guard) Name() string { return "guard" }

func (g guard) Hooks() policy.Hooks { return policy.Hooks{Authorizer: g} }

func (guard) Authorize(context.Context, *policy.Action) (policy.Answer, error) {
	return policy.Answer{}, nil
}

func init() { edgeftp.Export(guard{}) }

func main() {}
