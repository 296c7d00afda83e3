package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

const (
	// closeTime is how long after the drain limit, or a second signal, the process may
	// still be there.
	closeTime = 900 * time.Millisecond
	// leastCloseTime is how long what is open has to be put away, when all else was late.
	leastCloseTime = 150 * time.Millisecond
	// failedCloseTime is the same for a server that ends by itself.
	failedCloseTime = 10 * time.Second
)

// attendEnd prepares for the ways in which a server ends that are no signal.
func (in *instance) attendEnd(signals chan<- os.Signal) {
	in.house.predecessor.in = in
	in.house.drain = &drainer{server: in.server, signals: signals, elder: in.succeeds,
		usual: func() time.Duration { return in.now.Load().conf.Instance.DrainTimeout }}
}

// run serves until a signal comes: the first one drains, the second one stops at
// once.
func (in *instance) run(ctx context.Context, signals, again <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in.guardAdmin()
	now := in.now.Load()
	if err := in.admin.Publish(); err != nil {
		in.log.Error("the admin socket cannot be put in the place of the server's before", "error", err)
	}
	if err := now.certs.start(ctx, nil); err != nil {
		return err
	}
	go in.keys.Run(ctx)
	// A server that drains takes no new source and no other configuration, and its
	// compilers end.
	working, leave := context.WithCancel(ctx)
	in.work.begin(ctx, working, leave)
	go (&acme.Expiry{Log: in.log, Event: in.certificateEnding, Files: func() time.Duration { return in.now.Load().conf.Notify.CertExpiry }, Wake: in.expiry}).Watch(working, func() []acme.Certificate { return in.now.Load().certs.list() })
	if in.succeeds != nil {
		in.work.all.Go(func() { in.guard(func() { in.follow(ctx) }) })
	}
	now.attend()
	in.work.all.Go(func() { in.reloads(working, again) })
	in.work.all.Go(func() { in.guard(func() { in.accounts.keep(ctx.Done()) }) })
	in.work.all.Go(func() { in.warns(ctx) })
	defer func() {
		cancel()
		leave()
		in.within(func() { in.work.all.Wait() })
	}()
	go in.guard(func() { in.manager.Watch(ctx, in.standing) })
	now.showMetrics(nil)
	now.showFronts(nil)
	admin := make(chan error, 1)
	go func() {
		admin <- in.admin.Serve(controller{in.modules, in.warden(), usher{in.server}, in}, in.log)
	}()
	served := make(chan error, 1)
	go func() { served <- in.server.Serve(ctx) }()
	within := in.now.Load().conf.Instance.DrainTimeout
	for serves := true; serves; {
		select {
		case err := <-served: // also when another process serves, and the last session has ended
			in.house.drain.awaitElder(signals)
			in.log.Info("stopped")
			return err
		case err := <-admin:
			if serves, admin = err == nil, nil; !serves { // else it was closed as another process has its place
				in.log.Error("the admin socket failed", "error", err)
			}
		case s := <-signals:
			serves = false
			leave()
			within = in.farewell(s)
		}
	}
	in.drain(ctx, signals, within)
	err := <-served // Serve ends with Shutdown
	in.log.Info("stopped")
	return err
}

// farewell tells that the server drains, and returns for how long.
func (in *instance) farewell(s os.Signal) time.Duration {
	drain := in.now.Load().conf.Instance.DrainTimeout
	if _, empty := s.(drained); empty {
		drain = 0 // whoever is still there has had the time
	}
	in.manager.Stopping("draining, for " + drain.String() + " at most")
	in.log.Info("draining", "signal", s.String(), "limit_seconds", drain.Seconds())
	in.server.Tell(policy.Event{Kind: policy.EventDraining, Text: "limit " + drain.String()})
	return drain
}

// drain lets transfers end until the limit has come, or a signal.
func (in *instance) drain(ctx context.Context, signals <-chan os.Signal, within time.Duration) {
	until := time.Now().Add(within)
	limit, stop := context.WithDeadline(ctx, until)
	defer stop()
	told := make(chan time.Time, 1)
	go func() {
		select {
		case s := <-signals:
			in.log.Warn("stopping at once", "signal", s.String())
			told <- time.Now()
			stop()
		case <-limit.Done():
		}
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		in.guard(func() { in.now.Load().endFronts(limit) })
	}()
	err := in.server.Shutdown(limit)
	<-ended
	select {
	case until = <-told:
	default:
	}
	in.gone = until.Add(closeTime)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		in.log.Warn("transfers were aborted", "limit_seconds", within.Seconds())
	}
	if errors.Is(err, edge.ErrLeft) {
		in.log.Error("the server ends with something left behind", "error", err)
	}
}

// within does something for as long as there is time, and reports whether it was done.
func (in *instance) within(do func()) bool {
	left := failedCloseTime
	if !in.gone.IsZero() {
		left = max(time.Until(in.gone), leastCloseTime)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	limit := time.NewTimer(left)
	defer limit.Stop()
	select {
	case <-done:
		return true
	case <-limit.C:
		return false
	}
}

// closeInTime is close, but for what takes longer than there is time for: the process
// ends all the same, as if it had been killed.
func (in *instance) closeInTime() {
	if !in.within(in.close) {
		in.log.Error("not everything could be put away in time")
	}
}
