package bridge

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// The pauses between attempts to connect again.
const (
	firstPause = 500 * time.Millisecond
	lastPause  = 15 * time.Second
)

// errIdle is why a connection was closed that nobody used.
var errIdle = errors.New("nobody used it")

// trunk keeps the one connection that all sessions travel on: it dials when there is none
// and one is wanted, and closes it when nobody has used it for long.
type trunk struct {
	dial func(context.Context) (Link, error)
	keep time.Duration
	log  *slog.Logger
	ctx  context.Context // of the bridge
	work sync.WaitGroup

	mu       sync.Mutex
	link     Link
	attempt  *attempt // that runs; nil: none does
	failures int      // in a row
	next     time.Time
	users    int
	idle     *time.Timer
	before   bool // there was a connection

	since time.Time  // there is this connection
	here  netip.Addr // this machine's address on it
	moved time.Time  // when that has changed
}

// attempt is one attempt to connect.
type attempt struct {
	done chan struct{}
	link Link
	err  error
}

// get returns the connection, and waits for it if there is none. The error is that of the
// attempt it has waited for, or of ctx.
func (t *trunk) get(ctx context.Context) (Link, error) {
	t.mu.Lock()
	if t.link != nil && t.link.Err() == nil {
		defer t.mu.Unlock()
		return t.link, nil
	}
	a := t.attempt
	if a == nil {
		if t.ctx.Err() != nil {
			t.mu.Unlock()
			return nil, t.ctx.Err()
		}
		a = &attempt{done: make(chan struct{})}
		t.attempt = a
		pause := time.Until(t.next)
		t.work.Go(func() { t.try(a, pause) })
	}
	t.mu.Unlock()
	select {
	case <-a.done:
		return a.link, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// try makes one attempt, after a pause.
func (t *trunk) try(a *attempt, pause time.Duration) {
	defer close(a.done)
	began := time.Now()
	a.err = sleep(t.ctx, pause)
	if a.err == nil {
		began = time.Now()
		a.link, a.err = t.dial(t.ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempt = nil
	if a.err != nil {
		t.failures++
		wait := min(firstPause<<min(t.failures-1, 10), lastPause)
		t.next = time.Now().Add(wait - rand.N(wait/4))
		if t.before && t.ctx.Err() == nil { // before that, whoever waits tells of it
			t.log.Warn("no connection", "error", oneLine(a.err), "failures", t.failures)
		}
		return
	}
	say := "connected"
	if t.before {
		say = "reconnected"
	}
	t.log.Info(say, "took", time.Since(began).Round(time.Millisecond).String())
	t.failures, t.next, t.link, t.before = 0, time.Time{}, a.link, true
	t.since, t.here, t.moved = time.Now(), netip.Addr{}, time.Time{}
	t.rest()
	link := a.link
	t.work.Go(func() { t.watch(link) })
}

// watch tells of the end of a connection.
func (t *trunk) watch(link Link) {
	if t.follow(link); t.ctx.Err() != nil {
		_ = link.Close() // nothing is on it any more
		return
	}
	t.mu.Lock()
	lost, used := t.link == link, t.users > 0
	if lost {
		t.link = nil
	}
	t.mu.Unlock()
	switch {
	case lost && used:
		t.log.Warn("connection lost", "error", link.Err())
	case lost: // the server has a limit of its own for connections without sessions
		t.log.Info("connection closed", "reason", oneLine(link.Err()))
	}
	_ = link.Close()
}

// enter counts a session, for which the connection is kept.
func (t *trunk) enter() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users++
	if t.idle != nil {
		t.idle.Stop()
		t.idle = nil
	}
}

// leave is the end of a session.
func (t *trunk) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users--
	t.rest()
}

// rest lets the time run after which a connection that nobody uses is closed.
func (t *trunk) rest() {
	if t.users == 0 && t.link != nil && t.idle == nil {
		t.idle = time.AfterFunc(t.keep, t.hangUp)
	}
}

// hangUp closes a connection that nobody uses.
func (t *trunk) hangUp() {
	t.mu.Lock()
	link := t.link
	if t.users > 0 || link == nil {
		t.mu.Unlock()
		return
	}
	t.link, t.idle = nil, nil
	t.mu.Unlock()
	t.log.Info("connection closed", "reason", errIdle.Error())
	_ = link.Close()
}

// end waits until nothing of the trunk runs, after its context has ended.
func (t *trunk) end() {
	t.mu.Lock()
	if t.idle != nil {
		t.idle.Stop()
		t.idle = nil
	}
	t.mu.Unlock()
	t.work.Wait()
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
