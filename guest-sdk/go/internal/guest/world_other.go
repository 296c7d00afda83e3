//go:build !wasip1

package guest

import (
	"sync/atomic"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// World is what the SDK finds natively in place of a host. Package guesttest makes
// one for a test.
type World struct {
	KV       policy.KV
	Log      func(level int32, msg string)
	Metric   func(name string, kind int32, v int64)
	Random   func(b []byte)
	Fetch    func(r *abi.FetchRequest) (*abi.FetchResponse, error)
	Services policy.Services
}

// world is there from the start to the end of one test.
var world atomic.Pointer[World]

// Found returns the world, nil where there is none.
func Found() *World { return world.Load() }

// Enter makes w the world. It reports false if there is another one.
func Enter(w *World) bool { return world.CompareAndSwap(nil, w) }

// Leave ends the world.
func Leave(w *World) { world.CompareAndSwap(w, nil) }

// Settings gives the policy its settings, as the host does.
func (g *Guest) Settings(b []byte) error {
	switch {
	case g.configure != nil:
		return g.configure(b)
	case len(b) > 0:
		return errNoSettings
	}
	return nil
}
