package chain

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Breaker says when a policy that only fails is no longer called. Zero in any
// field is the default that it names.
type Breaker struct {
	Failures int           // in a row that open it, 10; negative: it never opens
	Sessions int           // that they come from at least, 3
	Pause    time.Duration // before the first probe, 1 s; it doubles with each that fails
	MaxPause time.Duration // that it does not grow beyond, 60 s
}

func (b Breaker) complete() Breaker {
	if b.Failures == 0 {
		b.Failures = 10
	}
	if b.Sessions == 0 {
		b.Sessions = 3
	}
	if b.Pause <= 0 {
		b.Pause = time.Second
	}
	if b.MaxPause <= 0 {
		b.MaxPause = time.Minute
	}
	return b
}

// errTookNone is what is wrong with a Batcher that takes nothing and fails not.
var errTookNone = errors.New("none of the events was taken")

// errOpen is the cause of what an open breaker refuses.
var errOpen = errors.New("breaker open: the policy has failed too often in a row")

// breaker stops calling a policy that only fails. It costs one load while all is
// well: it has no timers, and looks at the clock only when it is open.
type breaker struct {
	conf  Breaker
	log   *slog.Logger
	name  string
	state atomic.Uint32

	mu       sync.Mutex // guards what follows, and changes of state
	row      int        // failures without a success between them
	sessions []uint64   // that they came from, as many as count
	pause    time.Duration
	until    time.Time // when the next probe may be made
}

// The states. Only those beside whole need the lock.
const (
	whole   uint32 = iota // the last call was a success
	failing               // the last call was a failure
	opened                // nothing is called but probes
)

// allow reports whether the policy may be called, and whether as a probe.
func (b *breaker) allow() (probe bool, err error) {
	if b.state.Load() != opened {
		return false, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.state.Load() != opened {
		return false, nil
	}
	if now.Before(b.until) {
		return false, errOpen
	}
	b.until = now.Add(b.conf.MaxPause) // one at a time; one that never ends does not keep it open
	return true, nil
}

// success ends a call that was answered, while the breaker is not whole.
func (b *breaker) success(probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Load() == opened {
		if !probe { // it began before the breaker opened and tells of what was
			return
		}
		b.log.Info("a policy answers again; its breaker is closed", "policy", b.name)
	}
	b.row, b.sessions, b.pause = 0, b.sessions[:0], 0
	b.state.Store(whole)
}

// failure ends a call that failed, of one session.
func (b *breaker) failure(probe bool, session uint64, cause error) {
	if b.conf.Failures < 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Load() == opened {
		if probe {
			b.pause = min(2*b.pause, b.conf.MaxPause)
			b.until = time.Now().Add(b.pause)
		}
		return
	}
	b.row++
	if len(b.sessions) < b.conf.Sessions && !slices.Contains(b.sessions, session) {
		b.sessions = append(b.sessions, session)
	}
	if b.row < b.conf.Failures || len(b.sessions) < b.conf.Sessions {
		b.state.Store(failing)
		return
	}
	b.pause = min(b.conf.Pause, b.conf.MaxPause)
	b.until = time.Now().Add(b.pause)
	b.state.Store(opened)
	b.log.Error("a policy only fails; its breaker is open", "policy", b.name, "failures", b.row, "error", cause)
}

// giveUp ends a probe that was neither: the next one need not wait.
func (b *breaker) giveUp(probe bool) {
	if !probe {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Load() == opened {
		b.until = time.Now()
	}
}

// BreakerStatus tells how a breaker stands.
type BreakerStatus struct {
	Open     bool      // the policy is not called, but for probes
	Failures int       // in a row
	Probe    time.Time // when the policy may next be tried; zero unless Open
}

func (b *breaker) status() BreakerStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := BreakerStatus{Open: b.state.Load() == opened, Failures: b.row}
	if st.Open {
		st.Probe = b.until
	}
	return st
}
