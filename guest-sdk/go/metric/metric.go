// Package metric gives a guest numbers among the server's metrics. Importing it
// makes the module import the function metric, which needs the capability "metric"
// in its manifest and a grant (ABI §7, §8).
//
// A name has 1 to 64 bytes of a-z, 0-9 and "_" and begins with a letter; the server
// puts the policy's name beside it. A policy may have 64 names, each either a
// counter or a gauge. What breaks these rules is dropped. Natively all is dropped,
// but in a test that has a guesttest.World.
package metric

import "github.com/edgeftp/edgeftp/wasmhost/abi"

// Add adds n, which is not negative, to a counter.
func Add(name string, n int64) { send(name, abi.MetricCounter, n) }

// Set sets a gauge.
func Set(name string, v int64) { send(name, abi.MetricGauge, v) }
