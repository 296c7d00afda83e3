package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/succession"
	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// predecessor gives the server's place to another process, see package succession. It
// implements control.Upgrader and succession.Predecessor.
type predecessor struct {
	in *instance

	undo []func() error // of Yield, in its order

	mu   sync.Mutex
	at   phase
	end  context.CancelFunc // ends the way to the successor; nil: there is none
	bans []bequeathed       // that the successor does not know yet
}

// phase is how far a succession has come.
type phase int

const (
	phaseServing  phase = iota // nobody asks for the place
	phaseAsked                 // a process prepares to take it
	phaseYielded               // that process has the state, and does not serve yet
	phaseReplaced              // it serves
)

// The sockets that are no listener's, by what configures them.
const (
	metricsSocket = "telemetry.metrics.listen"
	adminSocket   = "admin.tcp.listen"
)

// replaceWait is how long the admin socket of a server that has been replaced answers, where
// the successor does not put its own there.
const replaceWait = 10 * time.Second

func notNow(why, help string) error {
	return &control.Refusal{Code: control.CodeUpgrade, Message: "the server cannot be replaced now: " + why, Help: help}
}

// Upgrading implements control.Upgrader.
func (p *predecessor) Upgrading() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	const again = "nothing has changed; try again later"
	switch {
	case p.at != phaseServing:
		return notNow("another process is about to take its place", again)
	case p.in.work.working.Err() != nil || p.in.server.Held():
		return notNow("it is draining", again)
	}
	return p.untried()
}

// untried refuses while a policy is on trial: what comes of that is to be written down.
func (p *predecessor) untried() error {
	p.in.modules.mu.Lock()
	defer p.in.modules.mu.Unlock()
	if name := p.in.modules.trial; name != "" {
		return notNow(fmt.Sprintf("policy %q is on trial", name), "wait for its end, or end it by edgeftp policy promote or rollback")
	}
	return nil
}

// Away is why nothing can be changed, for the guard of the admin API and for who swaps
// policies; nil if it can.
func (p *predecessor) Away() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	no := &control.Refusal{Code: control.CodeReplaced, Message: "another process has taken the server's place", Help: "ask again in a second"}
	switch p.at {
	case phaseServing, phaseAsked:
		return nil
	case phaseYielded:
		no.Message = "another process is about to take the server's place, and nothing can be changed"
	}
	return no
}

// enter begins a phase.
func (p *predecessor) enter(at phase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = at
	p.tellBans()
}

// Upgrade implements control.Upgrader.
func (p *predecessor) Upgrade(conn *net.UnixConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at != phaseServing || p.in.work.working.Err() != nil {
		_ = conn.Close() // somebody else came in between
		return
	}
	ctx, end := context.WithCancel(context.Background())
	p.at, p.end = phaseAsked, end
	stop := context.AfterFunc(p.in.work.working, func() { // it is told to stop, while nobody serves yet
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.at != phaseReplaced {
			end()
		}
	})
	p.in.work.all.Go(func() {
		defer stop()
		p.in.guard(func() { p.give(ctx, conn) })
	})
}

// give gives the place away, or goes on.
func (p *predecessor) give(ctx context.Context, conn *net.UnixConn) {
	err := succession.Give(ctx, conn, p)
	if err == nil {
		return
	}
	p.in.log.Warn("another process has not taken the server's place, which goes on", "error", err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	p.at, p.end = phaseServing, nil
}

// hangUp ends the way to the successor, who was told everything.
func (p *predecessor) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != nil {
		p.end()
	}
}

// Offer implements succession.Predecessor.
func (p *predecessor) Offer() (o succession.Offer, err error) {
	in := p.in
	in.reloading.Lock() // so that sockets and configuration belong together
	defer in.reloading.Unlock()
	o.Hello = succession.Hello{Version: version(), PID: os.Getpid()}
	for _, l := range in.now.Load().listening() {
		var f *os.File
		tcp, ok := l.Listener.(*net.TCPListener)
		if !ok {
			err = fmt.Errorf("listener %s is no TCP socket", l.listener)
		} else {
			f, err = tcp.File()
		}
		if err != nil {
			for _, s := range o.Sockets {
				_ = s.File.Close() // it was for nobody
			}
			return succession.Offer{}, err
		}
		o.Sockets = append(o.Sockets, succession.Socket{Listener: l.listener, Address: l.address, File: f})
	}
	return o, nil
}

// boundSocket is a socket that listens.
type boundSocket struct {
	socket
	net.Listener
}

// listening are all sockets of a generation that is in force.
func (in *generation) listening() (all []boundSocket) {
	bound := in.server.Sockets()
	for i := range in.conf.Listeners {
		l := &in.conf.Listeners[i]
		for _, address := range l.Addresses {
			if l.TCP() { // a port of UDP has one process at a time
				all = append(all, boundSocket{socket{l.Name, address}, bound[0]})
			}
			bound = bound[1:]
		}
	}
	if in.figuresAt != nil {
		all = append(all, boundSocket{in.metricsAt(), in.figuresAt})
	}
	if t := in.rights.TCP; t != nil {
		all = append(all, boundSocket{in.adminAt(), t.Listener})
	}
	return all
}

// Yield implements succession.Predecessor. Until Resume or Leave no configuration and no
// module comes into force.
func (p *predecessor) Yield(ctx context.Context, heir kv.Heir) (sessions uint64, err error) {
	in := p.in
	in.reloading.Lock()
	in.modules.swapping.Lock()
	p.undo = []func() error{func() error { in.reloading.Unlock(); in.modules.swapping.Unlock(); return nil }}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.takeBack())
		}
	}()
	if err := p.untried(); err != nil {
		return 0, err
	}
	p.enter(phaseYielded)
	p.undo = append(p.undo, func() error { p.enter(phaseAsked); return nil })
	if sessions, err = in.server.Pause(ctx); err != nil {
		return 0, err
	}
	p.undo = append(p.undo, func() error { in.server.Resume(); return nil })
	if err := in.accounts.release(); err != nil {
		return 0, err
	}
	p.undo = append(p.undo, func() error { return in.accounts.retake(storeWait) })
	if err := in.store.HandOver(ctx, heir); err != nil {
		return 0, err
	}
	p.undo = append(p.undo, func() error { return in.store.TakeBack(context.Background()) })
	if err := in.house.audit.Yield(); err != nil {
		return 0, err
	}
	p.undo = append(p.undo, in.house.audit.Resume)
	return sessions, nil
}

// takeBack undoes what Yield has done, the last first.
func (p *predecessor) takeBack() (err error) {
	for _, undo := range slices.Backward(p.undo) {
		err = errors.Join(err, undo())
	}
	p.undo = nil
	return err
}

// Resume implements succession.Predecessor.
func (p *predecessor) Resume(why error) {
	if err := p.takeBack(); err != nil {
		p.in.log.Error("the server goes on, and not everything is as before another process was to take its place", "error", err,
			"help", "restart it; what could not be opened again is not written until then")
	}
}

// Leave implements succession.Predecessor: what is there ends by itself, or when the limit
// is over.
func (p *predecessor) Leave() {
	in := p.in
	p.enter(phaseReplaced)
	in.work.stop() // before the next two: whoever waits for them finds that it is over
	in.modules.swapping.Unlock()
	in.reloading.Unlock()
	now := in.now.Load()
	in.log.Info("another process has taken the server's place; sessions go on to their end", "sessions", in.server.Status().Sessions,
		"limit_seconds", now.conf.Instance.DrainTimeout.Seconds())
	in.manager.Stopping("replaced; its sessions go on, for " + now.conf.Instance.DrainTimeout.String() + " at most")
	in.server.Tell(policy.Event{Kind: policy.EventDraining, Text: "another process serves; limit " + now.conf.Instance.DrainTimeout.String()})
	now.hideMetrics()
	now.certs.leave(nil)
	in.server.StopListening()
	in.work.all.Go(func() { in.guard(now.yieldFronts) })
	in.house.drain.leave()
	in.work.all.Go(func() { in.guard(p.closeAdmin) })
}

// closeAdmin closes the admin API when the successor's has its place.
func (p *predecessor) closeAdmin() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(replaceWait); !p.in.admin.Replaced() && time.Now().Before(limit); {
		select {
		case <-tick.C:
		case <-p.in.work.ctx.Done():
			return
		}
	}
	if err := p.in.admin.Close(); err != nil {
		p.in.log.Warn("the admin socket could not be put away", "error", err)
	}
}
