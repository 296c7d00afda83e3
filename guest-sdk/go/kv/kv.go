// Package kv gives a guest its values in the server: what it writes there is kept
// across questions, instances, the module's replacement and restarts. Importing it
// makes the module import the kv functions, which needs the capability "kv" in its
// manifest and a grant (ABI §7, §8).
package kv

import "github.com/edgeftp/edgeftp/edge/policy"

// Open returns the module's space. Natively it is that of the test's
// guesttest.World; where there is none, each call returns an empty one in memory.
func Open() policy.KV { return open() }
