package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/ledger"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// pageSize is the unit of a module's memory.
const pageSize = 64 << 10

// offer is a module that wants a slot.
type offer struct {
	*control.Module
	downgrade bool
	shadow    bool          // it is to leave no trace
	back      *ledger.Entry // it was accepted before
}

// prepare judges a module from its bytes on, and loads it. Nothing else has changed
// when it returns.
func (m *modules) prepare(ctx context.Context, conf *config.Module, o offer) (*candidate, error) {
	seal, err := m.check(conf.Name, o)
	if err != nil {
		return nil, err
	}
	options := m.loadOptions(conf, o.shadow)
	facts, err := m.host.Examine(conf.Name, o.Module.Module, options)
	if err != nil {
		return nil, err
	}
	next := trust.Accepted{Digest: seal.Digest, Version: facts.Manifest.Version, Signer: seal.Signer, At: time.Now(), Source: o.Source}
	if last, ok := m.ledger.Newest(conf.Name); ok && o.back == nil {
		rules := m.rules
		rules.AllowDowngrade = rules.AllowDowngrade || o.downgrade
		if err := rules.Follows(conf.Name, last.Accepted, next); err != nil {
			return nil, err
		}
	}
	if err := config.CheckSettings(conf.Name, facts.Manifest.Settings, conf.Settings); err != nil {
		return nil, err
	}
	p, err := m.host.Load(ctx, conf.Name, o.Module.Module, options)
	if err != nil {
		return nil, err
	}
	return &candidate{policy: p, bytes: o.Module.Module, accepted: next}, nil
}

// check is trust's judgement. What was accepted before is held to the pins and to
// the keys of today; its signature is not kept, but who made it is.
func (m *modules) check(name string, o offer) (trust.Seal, error) {
	if o.back == nil {
		return m.rules.Check(name, o.Module.Module, o.Signature)
	}
	pins := trust.Rules{Pins: m.rules.Pins}
	seal, err := pins.Check(name, o.Module.Module, nil)
	if err != nil {
		return seal, err
	}
	seal.Signer = o.back.Signer
	if m.rules.Required && !slices.ContainsFunc(m.rules.Keys, func(k trust.Key) bool { return k.ID() == seal.Signer }) {
		e := &wasmhost.LoadError{Code: trust.CodeSignature, Summary: fmt.Sprintf("policy %q would go back to a module that no trusted key has signed", name),
			Found: "a module that was signed by nobody", Help: "swap in a signed module"}
		if seal.Signer != "" {
			e.Found = "a module that was signed by key " + seal.Signer
		}
		return seal, e
	}
	return seal, nil
}

// loadOptions are what the operator says about a module.
func (m *modules) loadOptions(conf *config.Module, shadow bool) wasmhost.LoadOptions {
	l := &conf.Limits
	o := wasmhost.LoadOptions{Settings: conf.Settings, Grant: m.grant(conf, shadow), Verify: edge.VerifyHash,
		Limits: wasmhost.Limits{MemoryPages: uint32(cmp.Or(l.Memory, usualMemory) / pageSize), Fuel: l.Fuel, Deadline: l.Call, Depth: l.Depth, Instances: l.Instances}}
	if o.Limits.Instances == 0 {
		o.Limits.Instances = usualInstances()
	}
	return o
}

func usualInstances() int { return 2*runtime.GOMAXPROCS(0) + 2 }

// grant turns the configuration's grants into the host's. A shadow writes to a copy
// of what the policy remembers, and its numbers count for nothing.
func (m *modules) grant(conf *config.Module, shadow bool) wasmhost.Grant {
	g := &conf.Grants
	out := wasmhost.Grant{Random: g.Random, Verify: g.Verify, Password: g.Password, Stat: g.Stat, Digest: g.Digest,
		Fetch: wasmhost.FetchGrant{Allow: g.Fetch, Private: g.FetchPrivate}}
	if g.Metric {
		out.Metric = &m.guests
		if shadow {
			out.Metric = new(numbers)
		}
	}
	if !g.KV {
		return out
	}
	out.KV = func(space string, wanted int64) (policy.KV, error) {
		name := "policy/" + conf.Name
		if space != "" {
			if !slices.Contains(g.Spaces, space) && !slices.Contains(g.Spaces, config.AnySpace) {
				return nil, fmt.Errorf("the space %q is not among those that are granted", space)
			}
			name = "shared/" + space
		}
		size := g.KVSize
		if wanted > 0 {
			size = min(size, wanted)
		}
		base, err := m.store.Space(name, size)
		if err == nil && shadow {
			base = kv.Overlay(base)
		}
		return base, err
	}
	return out
}

// options say how the server treats a module.
func (m *modules) options(conf *config.Module) edge.Options {
	o := edge.Options{Hosts: askedAt(conf)}
	if conf.FailOpen {
		o.FailOpen = []policy.Stage{policy.StageFS, policy.StageList, policy.StageCmd, policy.StageThrottle, policy.StageData}
	}
	if conf.Durable {
		o.Spool = filepath.Join(m.spools, conf.Name)
	}
	return o
}

// The highest limits that a configuration can give a module, usualMemory what it has
// without any.
const (
	mostMemory    = 1 << 30
	mostInstances = 4096
	usualMemory   = 16 << 20
)

// hostConfig leaves room for every module that a configuration may bring, later ones too;
// each is held to its own limits.
func hostConfig(conf *config.Policies) wasmhost.Config {
	return wasmhost.Config{Strict: conf.Strict, Limits: wasmhost.Limits{MemoryPages: mostMemory / pageSize, Instances: mostInstances}}
}

// openStore opens what policies remember.
func openStore(dir string, o kv.Options) (*kv.Store, error) {
	path := filepath.Join(dir, "state.db")
	s, err := kv.Open(path, o)
	switch {
	case errors.Is(err, kv.ErrDamaged):
		return nil, fmt.Errorf("what policies remember cannot be read: %w\n"+
			"   = help: nothing was changed; move %s away to begin anew (counters, bans and quotas are then forgotten), or put a copy back", err, path)
	case errors.Is(err, kv.ErrInUse):
		return nil, fmt.Errorf("what policies remember cannot be opened: %w\n   = help: another edgeftp uses this state directory: stop it, or choose another --state-dir", err)
	}
	return s, err
}

// numbers are what guests count themselves. The zero value is empty.
type numbers struct {
	mu  sync.Mutex
	all map[string]map[string]number // by policy, by name
}

type number struct {
	value   float64
	counter bool
}

// maxNumbers bounds the names of one slot, over all its generations.
const maxNumbers = 4 * abi.MaxMetrics

// Metric implements wasmhost.MetricSink.
func (n *numbers) Metric(policy, name string, kind int32, value int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = map[string]map[string]number{}
	}
	own := n.all[policy]
	if own == nil {
		own = map[string]number{}
		n.all[policy] = own
	}
	v, known := own[name]
	if !known && len(own) >= maxNumbers {
		return
	}
	if v.counter = kind == abi.MetricCounter; v.counter {
		v.value += float64(value)
	} else {
		v.value = float64(value)
	}
	own[name] = v
}

// of returns the numbers of one policy, nil without any.
func (n *numbers) of(policy string) map[string]float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out map[string]float64
	for name, v := range n.all[policy] {
		if out == nil {
			out = map[string]float64{}
		}
		out[name] = v.value
	}
	return out
}
