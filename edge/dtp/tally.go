package dtp

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Tally counts what becomes of data ports and connections, for as many sessions as share
// it. A nil Tally counts nothing. The methods may be called from any goroutine and take
// no lock. It must not be copied.
type Tally struct {
	held      atomic.Int64
	refused   atomic.Uint64
	opened    [2][outcomes]atomic.Uint64 // by active, and how it went
	running   [directions]atomic.Int64
	waited    [directions]atomic.Int64 // nanoseconds
	firsts    [directions][steps + 1]atomic.Uint64
	firstTime [directions]atomic.Int64 // nanoseconds
}

// Direction says which way a transfer's bytes go.
type Direction uint8

// The directions, as the client sees them.
const (
	Download   Direction = iota // a file to the client
	Upload                      // a file from the client
	Listing                     // names to the client
	directions                  // is how many there are
)

// String returns the direction's name, such as "download".
func (d Direction) String() string { return [...]string{"download", "upload", "listing"}[d%directions] }

// outcome is how the opening of a data connection went.
type outcome uint8

const (
	opened outcome = iota
	nobodyCame
	unreached
	badHandshake
	notBound
	abandoned // by ABOR, or with the session
	outcomes
)

func (o outcome) String() string {
	return [...]string{"ok", "nobody", "unreached", "tls_failed", "tls_not_resumed", "aborted"}[o]
}

// firstSteps are the bounds of the times to the first byte, in seconds.
func firstSteps() [steps]float64 {
	return [...]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30}
}

const steps = 13

// TallyStatus is what a [Tally] has counted at one moment.
type TallyStatus struct {
	PortsHeld int         // passive ports that listen
	NoPort    uint64      // passive ports that could not be had: all were taken
	Data      []DataCount // of every mode and result, also of those without one
	// Of each direction, by its number:
	Running   [3]int           // transfers that run
	Waited    [3]time.Duration // that transfers were held back by limits on rates, since the start
	FirstByte [3]Times         // from the beginning of a transfer's job to its first byte
}

// DataCount is how many data connections came to an end of one kind.
type DataCount struct {
	Active bool   // made by the server (PORT, EPRT)
	Result string // "ok", "nobody", "unreached", "tls_failed", "tls_not_resumed" or "aborted"
	Count  uint64 // since the start
}

// Times counts durations. The zero value has none.
type Times struct {
	UpTo  []float64     // bounds in seconds, rising
	Count []uint64      // of those at most that long, the shorter ones included, as UpTo
	Total uint64        // of all
	Sum   time.Duration // of all
}

// Status returns what was counted so far.
func (t *Tally) Status() (st TallyStatus) {
	if t == nil {
		return st
	}
	st.PortsHeld, st.NoPort = int(t.held.Load()), t.refused.Load()
	for active := range t.opened {
		for how := range t.opened[active] {
			st.Data = append(st.Data, DataCount{active == 1, outcome(how).String(), t.opened[active][how].Load()})
		}
	}
	bounds := firstSteps()
	for d := range directions {
		st.Running[d], st.Waited[d] = int(t.running[d].Load()), time.Duration(t.waited[d].Load())
		times := Times{UpTo: bounds[:], Sum: time.Duration(t.firstTime[d].Load())}
		for i := range t.firsts[d] {
			times.Total += t.firsts[d][i].Load()
			if i < steps {
				times.Count = append(times.Count, times.Total)
			}
		}
		st.FirstByte[d] = times
	}
	return st
}

// refuse counts a port that was not to be had.
func (t *Tally) refuse(err error) {
	if t != nil && errors.Is(err, ErrNoPort) {
		t.refused.Add(1)
	}
}

// hold counts a port that listens.
func (t *Tally) hold() {
	if t != nil {
		t.held.Add(1)
	}
}

// release counts one that does not any more.
func (t *Tally) release() {
	if t != nil {
		t.held.Add(-1)
	}
}

// begin counts a transfer that runs, until the function that it returns is called.
func (t *Tally) begin(tr *Transfer) (end func(context.Context, *Result)) {
	if t == nil {
		return func(context.Context, *Result) {}
	}
	d, began := tr.direction(), time.Now()
	t.running[d].Add(1)
	return func(ctx context.Context, r *Result) {
		t.running[d].Add(-1)
		active := 0
		if _, passive := tr.Port.(PassivePort); !passive {
			active = 1
		}
		t.opened[active][ending(ctx, r)].Add(1)
		if first, ok := tr.Progress.first(); ok {
			t.firstByte(d, first.Sub(began))
		}
	}
}

// ending is how the opening of a data connection went.
func ending(ctx context.Context, r *Result) outcome {
	switch {
	case errors.Is(r.Err, ErrHandshake):
		return badHandshake
	case errors.Is(r.Err, ErrNotBound):
		return notBound
	case r.Opened:
		return opened
	case ctx.Err() != nil:
		return abandoned
	case errors.Is(r.Err, ErrNobody):
		return nobodyCame
	case errors.Is(r.Err, ErrUnreached):
		return unreached
	}
	return abandoned
}

func (t *Tally) firstByte(d Direction, took time.Duration) {
	bounds, i := firstSteps(), 0
	for i < steps && took.Seconds() > bounds[i] {
		i++
	}
	t.firsts[d][i].Add(1)
	t.firstTime[d].Add(int64(took))
}

// wait counts the time that a limit has held a transfer back. What is shorter than a
// timer can be is no wait.
func (t *Tally) wait(d Direction, took time.Duration) {
	if t != nil && took >= 100*time.Microsecond {
		t.waited[d].Add(int64(took))
	}
}

// direction says which way a transfer goes.
func (t *Transfer) direction() Direction {
	switch {
	case t.Receive != nil:
		return Upload
	case t.Listing:
		return Listing
	}
	return Download
}
