package chain

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Config is what a Chain needs from its owner.
type Config struct {
	// Clean makes a path that a policy gave canonical. Required.
	Clean func(string) (string, error)
	// DrainLimit is how long a replaced generation may live for the sake of
	// running transfers; zero is 30 seconds. Beyond it their remaining questions
	// and events go to the current generation.
	DrainLimit time.Duration
	// DataPins is how many replaced generations with a policy at stage data may be
	// held by transfers, for as long as these run: what inspects or replaces bytes
	// cannot change in the middle. Zero is 8. A swap that needs more is refused.
	DataPins int
	// Notify is told of each trial that has ended; nil tells nobody. It may use
	// the chain, but not close it.
	Notify func(Change)
	// Panicked is told of each panic of a policy outside of any session, in the function
	// that has recovered it; nil tells nobody. In a session a panic goes on to the caller.
	Panicked func(p any)
	// Log takes what concerns no single question; nil is slog.Default.
	Log *slog.Logger
}

// Slot is a policy under the name that the configuration gives it.
type Slot struct {
	Name    string
	Policy  policy.Policy
	Options Options
}

// Errors of what changes a chain.
var (
	// ErrNoSlot says that no policy of that name is configured.
	ErrNoSlot = errors.New("no policy of that name is configured")
	// ErrClosed says that the chain was closed.
	ErrClosed = errors.New("the policy chain is closed")
	// ErrPinned says that transfers hold too many replaced generations.
	ErrPinned = errors.New("transfers still pass through too many replaced policies of stage data; try again when some have ended")
	// ErrTrial says that a candidate is on trial, and the chain cannot change.
	ErrTrial = errors.New("a candidate is on trial: promote it or roll it back first")
	// ErrNoTrial says that no candidate is on trial.
	ErrNoTrial = errors.New("no candidate of that name is on trial")
	// ErrShadow says that a slot has a shadow, or has none.
	ErrShadow = errors.New("no such comparison: one candidate can be compared with a policy at a time")
)

// Chain holds the current generation. It is safe for concurrent use.
type Chain struct {
	conf  Config
	front atomic.Pointer[front]

	mu         sync.Mutex // one change at a time
	closed     bool
	trial      *trial
	shadows    map[string]*shadow
	couriers   map[string]*courier
	numbers    map[string]uint64
	timers     map[*generation]*time.Timer
	end        *ending
	concluding sync.Once
	concluded  chan struct{}  // closed when Close has waited enough
	living     sync.WaitGroup // generations that have not ended, trials and shadows
}

// front is what new leases are of: the current generation and, during a trial,
// the candidate's for a part of the sessions.
type front struct {
	main, canary *generation
	percent      uint64
}

// pick returns the generation that judges a session. What belongs to no session
// (number 0) is the candidate's only when everything is.
func (f *front) pick(session uint64) *generation {
	if f.canary != nil && (f.percent == 100 || session != 0 && hash(session)*100>>32 < f.percent) {
		return f.canary
	}
	return f.main
}

// hash spreads session numbers, which count up, evenly over 32 bits.
func hash(session uint64) uint64 { return session * 0x9E3779B97F4A7C15 >> 32 }

// New makes a chain of the policies in their order. The chain owns them from
// then on: it closes those that can be closed. Names must be unique. After an
// error the policies are still the caller's.
func New(conf Config, slots ...Slot) (*Chain, error) {
	if conf.DrainLimit == 0 {
		conf.DrainLimit = 30 * time.Second
	}
	if conf.DataPins == 0 {
		conf.DataPins = 8
	}
	if conf.Log == nil {
		conf.Log = slog.Default()
	}
	c := &Chain{conf: conf, numbers: map[string]uint64{}, timers: map[*generation]*time.Timer{}, shadows: map[string]*shadow{},
		couriers: map[string]*courier{}, end: newEnding(&conf), concluded: make(chan struct{})}
	drafts, err := c.drafts(slots)
	if err != nil {
		return nil, err
	}
	c.living.Add(1)
	modules, err := c.build(drafts)
	if err != nil {
		return nil, err
	}
	c.follow(modules)
	c.front.Store(&front{main: c.generation(modules)})
	return c, nil
}

// Close ends the chain: no lease can be had any more. It takes leases that are
// still out away, hands over the events that wait, closes every policy and
// returns when all of that is done, or after some seconds.
func (c *Chain) Close() { _ = c.CloseWithin(context.Background()) }

// begin begins to close, once.
func (c *Chain) begin() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	f := c.front.Load()
	ending := []*generation{f.main}
	if c.trial != nil {
		c.trial.cancel()
		c.trial, ending = nil, append(ending, f.canary)
	}
	for g := range c.timers {
		ending = append(ending, g)
	}
	for _, s := range c.shadows {
		s.stop()
	}
	for _, k := range c.couriers {
		c.dismiss(k)
	}
	c.mu.Unlock()
	for _, g := range ending {
		c.forget(g)
	}
}

// retire gives up the pin of a generation that no new lease is of, and sees to
// it that it ends after the limit at the latest. The caller holds mu.
func (c *Chain) retire(old *generation, limit time.Duration) {
	if old.refs.drop(onePin) {
		c.bury(old)
		return
	}
	c.timers[old] = time.AfterFunc(limit, func() {
		if !old.bytes {
			c.forget(old)
		}
	})
}

// pinned says whether one more generation may be held by transfers. The caller
// holds mu.
func (c *Chain) pinned(next *generation) error {
	n := 0
	for g := range c.timers {
		if g.bytes {
			n++
		}
	}
	if next.bytes && n >= c.conf.DataPins {
		return ErrPinned
	}
	return nil
}

// forget takes the remaining leases' pins away from a generation that drains
// for too long.
func (c *Chain) forget(old *generation) {
	if old.refs.force() {
		c.bury(old)
	}
}

// bury closes, off the caller's path, the modules that only g held. It is called
// once for each generation, by whoever gave the last reference back.
func (c *Chain) bury(g *generation) {
	go func() {
		defer c.living.Done()
		c.mu.Lock()
		if t := c.timers[g]; t != nil {
			t.Stop()
			delete(c.timers, g)
		}
		c.mu.Unlock()
		for _, m := range g.modules {
			if m.holders.Add(-1) == 0 {
				m.close(c.end)
			}
		}
	}()
}

// Draining returns the number of replaced generations that leases still hold.
func (c *Chain) Draining() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}
