package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/ledger"
	"github.com/edgeftp/edgeftp/wasmhost/record"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// modules are the policy modules of a running server, by slot: what is in force,
// what is on trial, and what was. It is what the admin socket steers.
type modules struct {
	host    *wasmhost.Host
	server  *edge.Server
	log     *slog.Logger
	store   *kv.Store
	ledger  *ledger.Ledger
	rules   trust.Rules
	conf    *config.Policies
	spools  string         // directory of the spools
	base    control.Status // what does not change
	guests  numbers        // that modules count themselves
	crashes *crashes
	users   *accounts

	away     func() error // why nothing may be changed; nil if it may
	elder    func() int   // the process whose place this one took, while that has sessions, else 0
	swapping sync.Mutex   // held while modules are compiled: one change at a time
	limiting sync.Mutex   // one change of the limits at a time

	mu      sync.Mutex // guards what follows, briefly
	slots   map[string]*slot
	trial   string             // the slot whose candidate judges, empty for none
	retired []*wasmhost.Policy // replaced, and perhaps still held by transfers
}

// slot is one module's place.
type slot struct {
	conf   *config.Module
	source trust.Digest // of what the source gave when it was last read
	now    *candidate
	next   *candidate // on trial
	shadow *candidate // compared
	tap    *tap       // while it is recorded
}

// candidate is a module that has been loaded.
type candidate struct {
	policy   *wasmhost.Policy
	bytes    []byte // nil once the ledger has them
	accepted trust.Accepted
	about    record.Module // for recordings
}

// begin takes the server over that the modules are in.
func (m *modules) begin(server *edge.Server, list []placed) {
	m.server = server
	m.mu.Lock()
	for _, p := range list {
		m.slots[p.conf.Name] = &slot{conf: p.conf, now: p.made, source: p.source}
	}
	m.mu.Unlock()
	for name, s := range m.slots {
		m.accept(name, s.now)
		m.watch(s, s.now, m.generation(name))
	}
}

// Policies implements control.Controller.
func (m *modules) Policies() control.Policies { return m }

// Swap implements control.Policies.
func (m *modules) Swap(ctx context.Context, s control.Swap) ([]control.Policy, error) {
	return m.swap(ctx, s)
}

// swap is Swap, which logs note with what comes into force at once.
func (m *modules) swap(ctx context.Context, s control.Swap, note ...any) ([]control.Policy, error) {
	m.swapping.Lock()
	defer m.swapping.Unlock()
	if err := m.away(); err != nil {
		return nil, err
	}
	if err := m.askable(&s); err != nil {
		return nil, err
	}
	var slots []*slot
	var made []*candidate
	for i := range s.Modules {
		in := &s.Modules[i]
		sl, err := m.find(in.Name)
		var c *candidate
		if err == nil {
			c, err = m.prepare(ctx, sl.conf, offer{Module: in, downgrade: s.Downgrade, shadow: s.Shadow})
		}
		if err != nil {
			closeAll(made)
			return nil, m.refusal(in.Name, err)
		}
		slots, made = append(slots, sl), append(made, c)
	}
	trial := edge.Trial{Percent: s.Canary, For: s.For, Limits: m.conf.Rollout.Limits}
	var err error
	switch {
	case s.Shadow:
		err = m.compare(slots[0], made[0])
	case trial.Percent > 0 && trial.Percent < 100 || trial.For > 0:
		err = m.try(slots[0], made[0], trial)
	default:
		err = m.put(slots, made, policy.EventPolicySwapped, note...)
	}
	if err != nil {
		closeAll(made)
		return nil, m.refusal(s.Modules[0].Name, err)
	}
	var out []control.Policy
	for i := range s.Modules {
		st, err := m.one(s.Modules[i].Name)
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// askable refuses a swap that cannot be meant, and fills in the configuration's
// rollout. The caller holds swapping.
func (m *modules) askable(s *control.Swap) error {
	refuse := func(text, help string) error {
		return &control.Refusal{Code: control.CodeTrial, Message: text, Help: help}
	}
	given := s.Canary != 0 || s.For != 0
	seen := map[string]bool{}
	for _, in := range s.Modules {
		if seen[in.Name] {
			return refuse(fmt.Sprintf("policy %q is named twice", in.Name), "give each slot one module")
		}
		seen[in.Name] = true
	}
	switch {
	case len(s.Modules) == 0:
		return refuse("no module is given", "name a policy and a module")
	case s.Canary < 0 || s.Canary > 100 || s.For < 0:
		return refuse(fmt.Sprintf("a trial of %d percent for %v cannot be", s.Canary, s.For), "the share is 1 to 100 percent")
	case s.Shadow && given, s.Shadow && s.Now, s.Now && given:
		return refuse("a swap is watched, or compared, or at once", "give one of --canary and --for, --shadow, or --now")
	}
	if !s.Now && !s.Shadow && !given {
		s.Canary, s.For = m.conf.Rollout.Percent, m.conf.Rollout.For
	}
	trial := s.Canary > 0 && s.Canary < 100 || s.For > 0
	if len(s.Modules) > 1 && (trial || s.Shadow) {
		return refuse("several modules at once cannot be watched or compared", "swap them one after the other, or all with --now")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.trial != "" && !s.Shadow {
		return refuse(fmt.Sprintf("a candidate of policy %q is on trial", m.trial),
			fmt.Sprintf("edgeftp policy promote %s or edgeftp policy rollback %s ends it", m.trial, m.trial))
	}
	return nil
}

func closeAll(made []*candidate) {
	for _, c := range made {
		_ = c.policy.Close() // nothing was asked of it
	}
}

func (m *modules) find(name string) (*slot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.slots[name]; s != nil {
		return s, nil
	}
	return nil, &control.Refusal{Code: control.CodePolicyUnknown, Message: fmt.Sprintf("no policy module is called %q", name),
		Help: "edgeftp policy list shows the names; native policies cannot be swapped"}
}

// put swaps modules, all or none, and tells observers by an event of the kind, and
// the log also what note says. The caller holds swapping.
func (m *modules) put(slots []*slot, made []*candidate, kind policy.EventKind, note ...any) error {
	all := make([]edge.Slot, len(slots))
	for i, s := range slots {
		all[i] = edge.Slot{Name: s.conf.Name, Policy: made[i].policy, Options: m.options(s.conf)}
	}
	generations, err := m.server.SwapAll(all...)
	if err != nil {
		return err
	}
	for i, s := range slots {
		m.watch(s, made[i], generations[i])
		m.server.Tell(policy.Event{Kind: kind, Text: made[i].policy.Digest(), Policy: s.conf.Name, Generation: generations[i]})
		m.log.Info("policy swapped", append([]any{"event", kind.String(), "policy", s.conf.Name, "policy_gen", generations[i],
			"digest", made[i].policy.Digest(), "version", made[i].accepted.Version, "signer", made[i].accepted.Signer}, note...)...)
		m.mu.Lock()
		m.retired = append(m.retired, s.now.policy)
		s.now = made[i]
		m.mu.Unlock()
		m.accept(s.conf.Name, made[i])
	}
	return nil
}

// accept has the ledger remember what a slot took. What it cannot keep is in force
// all the same, so its failure is told and no more.
func (m *modules) accept(name string, c *candidate) {
	defer func() { c.bytes = nil }()
	last, any := m.ledger.Newest(name)
	if any && last.Digest == c.accepted.Digest && last.Signer == c.accepted.Signer {
		return
	}
	if err := m.ledger.Accept(name, c.bytes, c.accepted); err != nil {
		m.log.Error("a policy module is in force, and could not be recorded: no rollback leads to it, and an older one may follow it",
			"policy", name, "digest", c.accepted.Digest.String(), "error", err)
	}
}

// refusal says in the caller's words why a module was not taken.
func (m *modules) refusal(name string, err error) error {
	var own *control.Refusal
	if errors.As(err, &own) {
		return own
	}
	r := &control.Refusal{Code: control.CodePolicy, Message: fmt.Sprintf("policy %q: %v", name, err)}
	var load *wasmhost.LoadError
	if errors.As(err, &load) {
		r.Code = string(load.Code)
	}
	if load != nil && load.Code == trust.CodeDowngrade {
		r.Message += "\n             (--allow-downgrade does for one swap, policies.allow_downgrade for all)"
	}
	r.Message += fmt.Sprintf("\n   = generation %d keeps running", m.generation(name))
	return r
}

func (m *modules) generation(name string) uint64 {
	for _, p := range m.server.Status().Policies {
		if p.Name == name {
			return p.Generation
		}
	}
	return 0
}

// baseStatus is the part of the status that does not change.
func (in *generation) baseStatus(since time.Time) control.Status {
	l := in.conf.Limits
	return control.Status{Version: version(), Name: in.conf.Instance.Name, PID: os.Getpid(), Since: since, Root: in.conf.Root, Listeners: in.addresses(),
		Most:       control.Most{Total: l.Sessions, PerIP: l.SessionsPerIP, PerUser: l.SessionsPerUser},
		Generation: in.number, ConfigSince: in.since.UTC().Truncate(time.Second)}
}
