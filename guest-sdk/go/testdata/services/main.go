// A policy that asks for digests alone, through the context of its question.
package main

import (
	"context"
	"encoding/hex"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/host"
)

type guard struct{}

func (guard) Authorize(ctx context.Context, _ *policy.Action) (policy.Answer, error) {
	sum, err := policy.ServicesOf(ctx).Digest(ctx, "SHA-256")
	return policy.Answer{Verdict: policy.Deny, Text: hex.EncodeToString(sum)}, err
}

func init() { fs.Export(guard{}) }

func main() {}
