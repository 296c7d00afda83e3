package chain

import (
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// draft is a slot of the next generation: checked, but without a module yet,
// unless it keeps the one that is there.
type draft struct {
	Slot
	hooks    policy.Hooks
	interest *interest
	site     []policy.SiteCommand
	keep     *module
}

// drafts checks slots. Nothing is begun that an error would have to undo.
func (c *Chain) drafts(slots []Slot) ([]draft, error) {
	out := make([]draft, 0, len(slots))
	for i, s := range slots {
		if slices.ContainsFunc(slots[:i], func(o Slot) bool { return o.Name == s.Name }) {
			return nil, fmt.Errorf("two policies are named %q", s.Name)
		}
		if slices.ContainsFunc(slots[:i], func(o Slot) bool { return owned(o.Policy, s.Policy) }) {
			return nil, fmt.Errorf("policy %q has the value of another slot, and would be closed twice", s.Name)
		}
		d, err := c.draft(s)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (c *Chain) draft(s Slot) (draft, error) {
	if s.Policy == nil {
		return draft{}, fmt.Errorf("policy %q is missing", s.Name)
	}
	for name, o := range c.shadows {
		if owned(o.policy, s.Policy) {
			return draft{}, fmt.Errorf("policy %q: its value is the shadow of %q, and would be closed with it", s.Name, name)
		}
	}
	hooks := s.Policy.Hooks()
	in, err := newInterest(hooks.Interest, c.conf.Clean)
	if err == nil {
		err = s.Options.check()
	}
	var site []policy.SiteCommand
	if err == nil {
		site, err = siteCommands(hooks.Site)
	}
	if err != nil {
		return draft{}, fmt.Errorf("policy %q: %w", s.Name, err)
	}
	return draft{Slot: s, hooks: hooks, interest: in, site: site}, nil
}

// same reports whether two policies are one value.
func same(a, b policy.Policy) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && t.Comparable() && a == b
}

// owned reports whether two policies are one value that is to be closed.
func owned(a, b policy.Policy) bool {
	_, closer := a.(io.Closer)
	return closer && same(a, b)
}

// build makes the modules, or nothing after an error. The caller holds mu, or is
// New.
func (c *Chain) build(drafts []draft) ([]*module, error) {
	couriers, err := c.recruit(drafts)
	if err != nil {
		return nil, err
	}
	for name, k := range couriers {
		c.couriers[name] = k
	}
	out := make([]*module, len(drafts))
	for i, d := range drafts {
		if out[i] = d.keep; d.keep == nil {
			c.numbers[d.Name]++
			out[i] = newModule(d, c.numbers[d.Name], c.couriers[d.Name], c.end)
		}
	}
	return out, nil
}

// recruit makes the couriers that the drafts' slots need and do not have.
func (c *Chain) recruit(drafts []draft) (map[string]*courier, error) {
	out := map[string]*courier{}
	for _, d := range drafts {
		if d.keep != nil || d.Options.Spool == nil || c.couriers[d.Name] != nil {
			continue
		}
		s, err := d.Options.Spool()
		if err != nil {
			for _, k := range out {
				k.leave(nil, c.end)
			}
			return nil, fmt.Errorf("policy %q: its events cannot be stored: %w", d.Name, err)
		}
		out[d.Name] = newCourier(s, c.conf.Log)
	}
	return out, nil
}

// ready says whether the chain can change now. The caller holds mu.
func (c *Chain) ready() error {
	switch {
	case c.closed:
		return ErrClosed
	case c.trial != nil:
		return fmt.Errorf("%w (%q)", ErrTrial, c.trial.candidate.name)
	}
	return c.pinned(c.front.Load().main)
}

// keep drafts the current modules as they are. The caller holds mu.
func (c *Chain) keep() []draft {
	var out []draft
	for _, m := range c.front.Load().main.modules {
		out = append(out, draft{Slot: Slot{m.name, m.policy, m.options}, hooks: m.hooks, interest: m.interest, keep: m})
	}
	return out
}

// generation makes a generation, and logs what in it cannot be used.
func (c *Chain) generation(modules []*module) *generation {
	g := newGeneration(modules)
	g.tellClashes(c.conf.Log)
	return g
}

// install makes the drafts the current generation. The caller holds mu.
func (c *Chain) install(drafts []draft) ([]*module, error) {
	old := c.front.Load().main
	modules, err := c.build(drafts)
	if err != nil || slices.Equal(modules, old.modules) {
		return modules, err
	}
	c.living.Add(1)
	c.follow(modules)
	c.front.Store(&front{main: c.generation(modules)})
	c.retire(old, c.conf.DrainLimit)
	return modules, nil
}

// put drafts s in the place of the slot with its name. A value that the slot owns
// already stays as it is.
func (c *Chain) put(all []draft, s Slot) (int, error) {
	i := slices.IndexFunc(all, func(d draft) bool { return d.Name == s.Name })
	if i < 0 {
		return 0, fmt.Errorf("%w: %q", ErrNoSlot, s.Name)
	}
	if owned(all[i].Policy, s.Policy) && equal(all[i].Options, s.Options) {
		return i, nil
	}
	if slices.ContainsFunc(all, func(d draft) bool { return owned(d.Policy, s.Policy) }) {
		return 0, fmt.Errorf("policy %q: its value has a slot already, and would be closed twice", s.Name)
	}
	d, err := c.draft(s)
	if err == nil {
		all[i] = d
	}
	return i, err
}

// equal reports whether two options treat a policy alike. The spool is the slot's.
func equal(a, b Options) bool {
	return slices.Equal(a.FailOpen, b.FailOpen) && slices.Equal(a.Hosts, b.Hosts) && (a.Hosts == nil) == (b.Hosts == nil) && a.Breaker == b.Breaker
}

// Swap puts p in the place of the policy called name, with the slot's options, and
// returns the slot's new generation number. Commands that begin after Swap has
// returned are judged by p; what runs keeps what it leased. After an error nothing
// has changed and p is still the caller's.
func (c *Chain) Swap(name string, p policy.Policy) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(); err != nil {
		return 0, err
	}
	all := c.keep()
	i, err := c.put(all, Slot{name, p, c.options(all, name)})
	if err != nil {
		return 0, err
	}
	modules, err := c.install(all)
	if err != nil {
		return 0, err
	}
	return modules[i].number, nil
}

func (c *Chain) options(all []draft, name string) Options {
	for _, d := range all {
		if d.Name == name {
			return d.Options
		}
	}
	return Options{}
}

// SwapAll puts several policies in the places of those with their names, all at
// once or, after an error, none: no question is judged by only a part of them. It
// returns their generation numbers in order.
func (c *Chain) SwapAll(slots ...Slot) ([]uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(); err != nil {
		return nil, err
	}
	all := c.keep()
	at := make([]int, len(slots))
	for n, s := range slots {
		i, err := c.put(all, s)
		if err != nil {
			return nil, err
		}
		if slices.Contains(at[:n], i) {
			return nil, fmt.Errorf("two policies are named %q", s.Name)
		}
		at[n] = i
	}
	modules, err := c.install(all)
	if err != nil {
		return nil, err
	}
	numbers := make([]uint64, len(at))
	for n, i := range at {
		numbers[n] = modules[i].number
	}
	return numbers, nil
}

// Replace puts a whole new list of slots in the place of the current one. A policy
// that is the same value as before under the same name stays as it is, with its
// counters; one that is in the list no longer is closed once nothing holds it. The
// numbers of a name go on counting. After an error nothing has changed, and what is
// new in the list is still the caller's.
func (c *Chain) Replace(slots ...Slot) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	next, err := c.drafts(slots)
	if err != nil {
		return err
	}
	old := c.keep()
	for i := range next {
		d := &next[i]
		for _, o := range old {
			switch {
			case o.Name == d.Name && same(o.Policy, d.Policy) && equal(o.Options, d.Options):
				d.keep = o.keep
			case owned(o.Policy, d.Policy):
				return fmt.Errorf("policy %q has the value of the running policy %q, which other options or another name would close", d.Name, o.Name)
			}
		}
	}
	if slices.EqualFunc(next, old, func(a, b draft) bool { return a.keep == b.keep }) {
		return nil // also while a candidate is on trial
	}
	if err := c.ready(); err != nil {
		return err
	}
	_, err = c.install(next)
	return err
}

// Spooled reports whether there is a slot of that name, and whether its events are kept
// from one policy to the next.
func (c *Chain) Spooled(name string) (spooled, there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	there = slices.ContainsFunc(c.front.Load().main.modules, func(m *module) bool { return m.name == name })
	return c.couriers[name] != nil, there
}

// follow ties what belongs to slots, shadows and couriers, to the modules that are
// about to be in force, and ends what belongs to slots that are no more. The caller
// holds mu.
func (c *Chain) follow(modules []*module) {
	if f := c.front.Load(); f != nil {
		for _, m := range f.main.modules {
			m.shadow.Store(nil)
		}
	}
	there := map[string]bool{}
	for _, m := range modules {
		there[m.name] = true
		m.shadow.Store(c.shadows[m.name])
		if k := c.couriers[m.name]; k != nil && m.queue != nil {
			k.own(m)
		}
	}
	for name, s := range c.shadows {
		if !there[name] {
			s.stop()
			delete(c.shadows, name)
		}
	}
	for name, k := range c.couriers {
		if !there[name] {
			c.dismiss(k)
			delete(c.couriers, name)
		}
	}
}

// dismiss takes the slot's part in a courier away.
func (c *Chain) dismiss(k *courier) {
	c.living.Add(1)
	go func() {
		defer c.living.Done()
		k.leave(nil, c.end)
	}()
}
