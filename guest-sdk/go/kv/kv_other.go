//go:build !wasip1

package kv

import "github.com/edgeftp/edgeftp/edge/policy"

func open() policy.KV { return new(policy.MemKV) }
