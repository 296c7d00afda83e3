package chain

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	// Log takes what concerns no single question; nil is slog.Default.
	Log *slog.Logger
}

// Slot is a policy under the name that the configuration gives it.
type Slot struct {
	Name   string
	Policy policy.Policy
}

// ErrNoSlot says that no policy of that name is configured.
var ErrNoSlot = errors.New("no policy of that name is configured")

// ErrClosed says that the chain was closed.
var ErrClosed = errors.New("the policy chain is closed")

// Chain holds the current generation. It is safe for concurrent use.
type Chain struct {
	conf    Config
	current atomic.Pointer[generation]

	mu      sync.Mutex // one swap at a time
	closed  bool
	numbers map[string]uint64
	timers  map[*generation]*time.Timer
	living  sync.WaitGroup // generations that have not ended
}

// New makes a chain of the policies in their order. The chain owns them from
// then on: it closes those that can be closed. Names must be unique.
func New(conf Config, slots ...Slot) (*Chain, error) {
	if conf.DrainLimit == 0 {
		conf.DrainLimit = 30 * time.Second
	}
	if conf.Log == nil {
		conf.Log = slog.Default()
	}
	c := &Chain{conf: conf, numbers: map[string]uint64{}, timers: map[*generation]*time.Timer{}}
	for _, s := range slots {
		if c.numbers[s.Name] != 0 {
			return nil, fmt.Errorf("two policies are named %q", s.Name)
		}
		c.numbers[s.Name] = 1
	}
	modules := make([]*module, 0, len(slots))
	for _, s := range slots {
		m, err := newModule(s.Name, 1, s.Policy)
		if err != nil {
			for _, m := range modules {
				m.stop()
			}
			return nil, err
		}
		modules = append(modules, m)
	}
	c.living.Add(1)
	g := newGeneration(modules)
	g.tellClashes(conf.Log)
	c.current.Store(g)
	return c, nil
}

// Swap puts p in the place of the policy called name and returns the slot's new
// generation number. Commands that begin after Swap has returned are judged by
// p; what runs keeps what it leased. After an error nothing has changed and p
// is still the caller's.
func (c *Chain) Swap(name string, p policy.Policy) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, ErrClosed
	}
	old := c.current.Load()
	i := slices.IndexFunc(old.modules, func(m *module) bool { return m.name == name })
	if i < 0 {
		return 0, fmt.Errorf("%w: %q", ErrNoSlot, name)
	}
	m, err := newModule(name, c.numbers[name]+1, p)
	if err != nil {
		return 0, err
	}
	c.numbers[name]++
	modules := slices.Clone(old.modules)
	modules[i] = m
	c.living.Add(1)
	g := newGeneration(modules)
	g.tellClashes(c.conf.Log)
	c.current.Store(g)
	c.retire(old)
	return c.numbers[name], nil
}

// retire gives up the pin of the current generation and sees to it that old
// ends after the drain limit at the latest. The caller holds mu.
func (c *Chain) retire(old *generation) {
	if old.refs.drop(onePin) {
		c.end(old)
		return
	}
	c.timers[old] = time.AfterFunc(c.conf.DrainLimit, func() { c.forget(old) })
}

// forget takes the remaining leases' pins away from a generation that drains
// for too long.
func (c *Chain) forget(old *generation) {
	if old.refs.force() {
		c.end(old)
	}
}

// end closes, off the caller's path, the modules that only g held. It is called
// once for each generation, by whoever gave the last reference back.
func (c *Chain) end(g *generation) {
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
				m.close()
			}
		}
	}()
}

// Close ends the chain: no lease can be had any more. It takes leases that are
// still out away, hands over the events that wait, closes every policy and
// returns when all of that is done.
func (c *Chain) Close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.living.Wait()
		return
	}
	c.closed = true
	last := c.current.Load()
	draining := make([]*generation, 0, len(c.timers))
	for g := range c.timers {
		draining = append(draining, g)
	}
	c.mu.Unlock()
	for _, g := range append(draining, last) {
		c.forget(g)
	}
	c.living.Wait()
}

// Status describes the policies of the current generation in order.
func (c *Chain) Status() []ModuleStatus {
	g := c.current.Load()
	out := make([]ModuleStatus, 0, len(g.modules))
	for _, m := range g.modules {
		st := ModuleStatus{Name: m.name, Generation: m.number, Policy: m.policy, Since: m.since,
			Calls: m.calls.Load(), Denied: m.denied.Load(), Failed: m.failed.Load()}
		if m.queue != nil {
			st.Queued, st.Dropped = len(m.queue.events), m.queue.dropped.Load()
		}
		if m.tap != nil {
			st.TapDropped = m.tap.dropped.Load()
		}
		out = append(out, st)
	}
	return out
}

// Draining returns the number of replaced generations that leases still hold.
func (c *Chain) Draining() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

// ModuleStatus describes one policy of the current generation.
type ModuleStatus struct {
	Name       string
	Generation uint64 // of the slot, from 1
	Policy     policy.Policy
	Since      time.Time
	Calls      uint64 // hook calls since then, events included
	Denied     uint64 // refusals
	Failed     uint64 // calls that ended in an error
	Queued     int    // events waiting
	Dropped    uint64 // events lost because the policy fell behind
	TapDropped uint64 // chunks of bytes lost because a policy that listens fell behind
}
