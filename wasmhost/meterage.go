package wasmhost

import (
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/internal/meter"
)

// slice is how much fuel a guest gets at a time: some tenths of a millisecond of
// work. Between two slices the host cannot stop it, and neither can the garbage
// collector of the server.
const slice = 100_000

// errStop ends a guest's call from within a host function; the engine recovers it.
var errStop = errors.New("stopped by the host")

// meterage is what the running call of an instance may still use.
type meterage struct {
	budget  Budget
	granted int64         // fuel handed out, the slice that is being used included
	until   time.Time     // zero until the first slice is used up: most calls never look at a clock
	paused  time.Duration // spent in the host's own functions, which have deadlines of their own
	stopped Cause         // why the host ended the call, 0 if it did not
	why     error
}

// arm gives the instance the fuel of a call, or of all calls of its start.
func (in *instance) arm(b Budget) {
	in.meter = meterage{budget: b, granted: min(slice, b.Fuel)}
	in.fuel.Set(uint64(in.meter.granted))
}

// refuel is called by the guest when its slice is used up; left is what it has,
// below zero by what the last block cost too much. It returns what the guest has
// then, or an error to stop it.
func (in *instance) refuel(left int64) (int64, error) {
	m := &in.meter
	if left == meter.TooDeep {
		return 0, m.stop(CauseDepth, fmt.Errorf("calls nested more deeply than %d units", in.policy.module.limits.Depth))
	}
	if in.policy.retired.Load() {
		return 0, m.stop(CauseClosed, errClosed)
	}
	now := time.Now()
	if m.until.IsZero() {
		m.until = now.Add(m.budget.Time)
	} else if now.After(m.until) {
		return 0, m.stop(CauseTimeout, fmt.Errorf("stopped after %v", m.budget.Time))
	}
	if left >= 0 {
		return left, nil // between two parts of an operation that is paid for
	}
	// One block, or one operation on many bytes, may have cost more than a slice.
	more := min(max(slice, -left), m.budget.Fuel-m.granted)
	if more <= 0 || left+more < 0 {
		return 0, m.stop(CauseFuel, fmt.Errorf("stopped after %d units of fuel", m.granted-left))
	}
	m.granted += more
	return left + more, nil
}

// stop notes why the host ends the call.
func (m *meterage) stop(c Cause, why error) error {
	m.stopped, m.why = c, why
	return errStop
}

// charge takes fuel from the running call for work that the host does for it. It
// looks at the fuel itself: between two looks of its own a guest may have many calls
// of the host.
func (in *instance) charge(units int64) {
	left := int64(in.fuel.Get()) - units
	if left < 0 {
		more, err := in.refuel(left)
		if err != nil {
			panic(err) // see bind
		}
		left = more
	}
	in.fuel.Set(uint64(left))
}

// pause runs f, which has a deadline of its own, without counting its time as the
// guest's. How much of that there may be is for request to say.
func (in *instance) pause(f func()) {
	start := time.Now()
	f()
	took := time.Since(start)
	in.meter.paused += took
	if !in.meter.until.IsZero() {
		in.meter.until = in.meter.until.Add(took)
	}
}

// sliceFunction is the import that the metering adds. No module may have it itself.
func sliceFunction() hostFunction {
	return hostFunction{meter.ImportModule, meter.ImportSlice, "(i64) -> i64", "", hostSlice}
}

// hostSlice is what the metering calls when a slice is used up.
func hostSlice(in *instance, _ api.Module, stack []uint64) {
	more, err := in.refuel(int64(stack[0]))
	if err != nil {
		panic(err) // see bind
	}
	stack[0] = uint64(more)
}
