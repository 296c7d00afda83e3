package chain

import (
	"fmt"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Trial says for whom and for how long a candidate judges, and what ends it. The
// zero value is everybody, until Promote or Rollback, under the default limits.
type Trial struct {
	Percent int           // of the sessions, 1 to 100; 0 is 100
	For     time.Duration // then it is promoted; 0: never by itself
	// Limits are what rolls it back.
	Limits Limits
}

// Limits of a trial. Zero in any field is the default that it names, a negative
// number turns the rule off. They are judged four times a second.
type Limits struct {
	// It is rolled back when at least so many calls failed, and they are more than
	// FailureRate of its calls.
	Failures    int     // 5
	FailureRate float64 // percent; 1
	// It is rolled back when the share of refusals among the answers differs from
	// that of the policy in force by more than Drift, once each of the two has given
	// MinAnswers.
	Drift      float64 // percentage points; 10
	MinAnswers int     // 100
	// It is rolled back when 99 of 100 calls are answered within a time that is
	// Slower times that of the policy in force or more, and longer than Latency, once
	// MinSamples calls of each were measured. Times are known to the power of two.
	Slower     float64       // 5
	Latency    time.Duration // 1 ms
	MinSamples int           // 100
}

func (l Limits) complete() Limits {
	l.Failures = byDefault(l.Failures, 5)
	l.FailureRate = byDefault(l.FailureRate, 1)
	l.Drift = byDefault(l.Drift, 10)
	l.MinAnswers = byDefault(l.MinAnswers, 100)
	l.Slower = byDefault(l.Slower, 5)
	l.Latency = byDefault(l.Latency, time.Millisecond)
	l.MinSamples = byDefault(l.MinSamples, 100)
	return l
}

func byDefault[T int | float64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Change tells of a trial that has ended.
type Change struct {
	Kind       policy.EventKind // EventPolicySwapped or EventPolicyRolledBack
	Name       string           // of the slot
	Generation uint64           // of the slot, that is in force now
	Candidate  uint64           // generation that was on trial
	Text       string           // why, in one line
}

// trial is a candidate that judges some sessions, and is judged itself.
type trial struct {
	Trial
	candidate, main *module
	since           time.Time
	before          tally // of main, where it goes on judging
	stop            chan struct{}
	once            sync.Once
}

func (t *trial) cancel() { t.once.Do(func() { close(t.stop) }) }

// Canary lets p judge some sessions in the place of the policy called name, or all
// of them, while the one in force is kept. It ends by Promote, by Rollback, by
// itself at the end of its time, or with a rollback when it breaches its limits.
// Until then the chain takes no other change. It returns p's generation number.
// After an error p is still the caller's.
func (c *Chain) Canary(name string, p policy.Policy, conf Trial) (uint64, error) {
	if conf.Percent < 0 || conf.Percent > 100 || conf.For < 0 {
		return 0, fmt.Errorf("a trial of %d percent for %v cannot be", conf.Percent, conf.For)
	}
	conf.Percent, conf.Limits = byDefault(conf.Percent, 100), conf.Limits.complete()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(); err != nil {
		return 0, err
	}
	all := c.keep()
	i, err := c.put(all, Slot{name, p, c.options(all, name)})
	switch {
	case err != nil:
		return 0, err
	case all[i].keep != nil:
		return 0, fmt.Errorf("policy %q is the one in force", name)
	}
	main := c.front.Load().main
	modules, err := c.build(all)
	if err != nil {
		return 0, err
	}
	t := &trial{Trial: conf, candidate: modules[i], main: main.modules[i], since: time.Now(), stop: make(chan struct{})}
	if conf.Percent < 100 {
		t.before = t.main.tally()
	}
	t.candidate.often.Store(often)
	t.main.often.Store(often)
	c.trial = t
	c.living.Add(2)
	c.front.Store(&front{main, c.generation(modules), uint64(conf.Percent)})
	go c.watch(t)
	return t.candidate.number, nil
}

// Promote ends the trial of the policy called name in its favour, and returns its
// generation number.
func (c *Chain) Promote(name string) (uint64, error) {
	t, err := c.onTrial(name)
	if err != nil {
		return 0, err
	}
	if !c.finish(t, true, "promoted by the operator") {
		return 0, fmt.Errorf("%w: %q", ErrNoTrial, name)
	}
	return t.candidate.number, nil
}

// Rollback ends the trial of the policy called name, and returns the generation
// number of the policy that stays.
func (c *Chain) Rollback(name string) (uint64, error) {
	t, err := c.onTrial(name)
	if err != nil {
		return 0, err
	}
	if !c.finish(t, false, "rolled back by the operator") {
		return 0, fmt.Errorf("%w: %q", ErrNoTrial, name)
	}
	return t.main.number, nil
}

func (c *Chain) onTrial(name string) (*trial, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trial == nil || c.trial.candidate.name != name {
		return nil, fmt.Errorf("%w: %q", ErrNoTrial, name)
	}
	return c.trial, nil
}

// finish ends a trial, if nobody has yet. A candidate that is rolled back answers
// nothing more: what remains to be asked goes to the policy that stays, unless
// bytes pass through the generation.
func (c *Chain) finish(t *trial, promote bool, why string) bool {
	c.mu.Lock()
	if c.trial != t {
		c.mu.Unlock()
		return false
	}
	c.trial = nil
	t.cancel()
	t.candidate.often.Store(rarely)
	t.main.often.Store(rarely)
	f := c.front.Load()
	change := Change{Kind: policy.EventPolicySwapped, Name: t.candidate.name, Candidate: t.candidate.number, Text: why}
	if promote {
		change.Generation = t.candidate.number
		c.follow(f.canary.modules)
		c.front.Store(&front{main: f.canary})
		c.retire(f.main, c.conf.DrainLimit)
	} else {
		change.Kind, change.Generation = policy.EventPolicyRolledBack, t.main.number
		c.front.Store(&front{main: f.main})
		c.retire(f.canary, 0)
	}
	c.mu.Unlock()
	if c.conf.Notify != nil {
		_ = c.end.guard(func() error { c.conf.Notify(change); return nil }) // told, if it panics
	}
	return true
}
