package edge

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
)

// turns bound the digests that clients have computed (HASH, XCRC and their kin), each
// of which may read a file of any size: as many run at a time as there are turns, of
// one user all but one of them; the others wait, neither many nor for long.
type turns struct {
	slots chan struct{}
	time  time.Duration

	mu    sync.Mutex
	users map[string]*userTurns
	all   int // that run or wait
}

// userTurns are those of one user.
type userTurns struct {
	slots chan struct{}
	all   int
}

const (
	turnWait  = 30 * time.Second // until a digest begins
	turnQueue = 16               // that wait, for each that runs
)

var _ pi.Turns = (*turns)(nil)

// newTurns returns turns for parallel digests at a time, zero for as many as there are
// processors (GOMAXPROCS), each of which is given up after the limit; zero is no limit.
// With less than no turn it returns nil, which is no bound.
func newTurns(parallel int, limit time.Duration) pi.Turns {
	switch {
	case parallel < 0:
		return nil
	case parallel == 0:
		parallel = runtime.GOMAXPROCS(0)
	}
	return &turns{slots: make(chan struct{}, parallel), time: limit, users: map[string]*userTurns{}}
}

// Take implements pi.Turns.
func (t *turns) Take(ctx context.Context, user string) (_ context.Context, done func(), err error) {
	u := t.join(user)
	if u == nil {
		return nil, nil, pi.ErrNoTurn
	}
	waiting, stop := context.WithTimeoutCause(ctx, turnWait, pi.ErrNoTurn)
	defer stop()
	if err := get(waiting, u.slots); err != nil {
		t.leave(user)
		return nil, nil, err
	}
	if err := get(waiting, t.slots); err != nil {
		<-u.slots
		t.leave(user)
		return nil, nil, err
	}
	cancel := context.CancelFunc(func() {})
	if t.time > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, t.time, pi.ErrTurnOver)
	}
	return ctx, func() {
		cancel()
		<-t.slots
		<-u.slots
		t.leave(user)
	}, nil
}

// get takes a place, or returns why there is none.
func get(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// join counts one more of a user, nil if too many wait. What it has counted must leave.
func (t *turns) join(user string) *userTurns {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := cap(t.slots)
	if t.all >= n+n*turnQueue {
		return nil
	}
	u := t.users[user]
	if u == nil {
		u = &userTurns{slots: make(chan struct{}, max(1, n-1))}
		t.users[user] = u
	}
	if most := cap(u.slots); u.all >= most+most*turnQueue/2 { // the half of it: others are to be had too
		return nil
	}
	u.all++
	t.all++
	return u
}

func (t *turns) leave(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.users[user]
	t.all--
	if u.all--; u.all == 0 {
		delete(t.users, user)
	}
}
