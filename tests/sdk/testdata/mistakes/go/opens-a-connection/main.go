package main

import (
	"context"
	"net"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type guard struct{}

func (guard) Authorize(context.Context, *policy.Action) (policy.Answer, error) {
	c, err := net.Dial("tcp", "192.0.2.1:389")
	if err == nil {
		err = c.Close()
	}
	return policy.Answer{}, err
}

func init() { fs.Export(guard{}) }

func main() {}
