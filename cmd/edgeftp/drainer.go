package main

import (
	"os"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// drainer lets a server run empty, by the admin API: no new session begins, and when the
// last one has ended, or the limit is over, the server stops as by a signal.
type drainer struct {
	server  *edge.Server
	usual   func() time.Duration // instance.drain_timeout
	elder   *successor           // this process as one, until whose predecessor has ended it stays
	signals chan<- os.Signal

	mu      sync.Mutex
	until   time.Time // zero while nothing drains
	watch   chan struct{}
	stopped bool
	ended   sync.WaitGroup
}

// drained is the signal that a drainer sends: what is still there is not waited for.
type drained struct{}

// Signal implements os.Signal.
func (drained) Signal() {}

// String implements os.Signal.
func (drained) String() string { return "drain" }

// emptyEvery is how often it is looked whether the last session has ended.
const emptyEvery = 200 * time.Millisecond

// Drain implements control.Drainer.
func (d *drainer) Drain(limit time.Duration) (control.DrainState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped || d.server.Status().Draining {
		return control.DrainState{}, stopping()
	}
	if limit == 0 {
		limit = d.usual()
	}
	d.until = time.Now().Add(limit)
	if d.watch != nil { // another limit for what goes on
		return d.state(), nil
	}
	d.server.Hold(true)
	d.server.Tell(policy.Event{Kind: policy.EventDraining, Text: "limit " + limit.String() + ", by the admin API"})
	d.watch = make(chan struct{})
	d.ended.Add(1)
	go d.run(d.watch)
	return d.state(), nil
}

func stopping() error {
	return &control.Refusal{Code: control.CodeStopping, Message: "the server is stopping already"}
}

// CancelDrain implements control.Drainer.
func (d *drainer) CancelDrain() (control.DrainState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped || d.server.Status().Draining {
		return control.DrainState{}, stopping()
	}
	d.cancel()
	return d.state(), nil
}

// leave watches the sessions of a server that another process has replaced, in the way of
// a drain that cannot be taken back.
func (d *drainer) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped || d.watch != nil {
		return
	}
	d.until = time.Now().Add(d.usual())
	d.watch = make(chan struct{})
	d.ended.Add(1)
	go d.run(d.watch)
}

// awaitElder waits until those have ended whose place this one took: what they tell goes
// on to the successor. A signal ends it, and the drain limit.
func (d *drainer) awaitElder(signals <-chan os.Signal) {
	if d.elder.gone() {
		return
	}
	select {
	case <-d.elder.ended:
	case <-signals:
	}
}

// cancel takes a drain back. The caller holds mu.
func (d *drainer) cancel() {
	if d.watch != nil {
		close(d.watch)
		d.watch, d.until = nil, time.Time{}
		d.server.Hold(false)
	}
}

func (d *drainer) state() control.DrainState {
	st := d.server.Status()
	return control.DrainState{Draining: d.watch != nil, Until: d.until, Sessions: st.Sessions, Transfers: st.Transfers}
}

// run watches a drain until it is over, or cancelled.
func (d *drainer) run(cancelled <-chan struct{}) {
	defer d.ended.Done()
	tick := time.NewTicker(emptyEvery)
	defer tick.Stop()
	for {
		select {
		case <-cancelled:
			return
		case <-tick.C:
		}
		if d.over(cancelled) {
			return
		}
	}
}

// over stops the server if it has run empty, or had time enough.
func (d *drainer) over(cancelled <-chan struct{}) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-cancelled:
		return true
	default:
	}
	if (d.server.Status().Sessions > 0 || !d.elder.gone()) && time.Now().Before(d.until) {
		return false
	}
	d.stopped = true
	select {
	case d.signals <- drained{}:
	default: // a signal has come already
	}
	return true
}

// close ends the watching.
func (d *drainer) close() {
	d.mu.Lock()
	d.stopped = true
	if d.watch != nil {
		close(d.watch)
		d.watch = nil
	}
	d.mu.Unlock()
	d.ended.Wait()
}
