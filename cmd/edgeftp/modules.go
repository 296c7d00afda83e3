package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// modules are the policy modules of a running server, by slot: what is in force,
// and what it replaced. It is what the admin socket steers.
type modules struct {
	host   *wasmhost.Host
	server *edge.Server
	base   control.Status // what does not change

	swapping sync.Mutex // held while a module is compiled: one swap at a time
	limiting sync.Mutex // one change of the limits at a time

	mu      sync.Mutex // guards what follows, briefly
	slots   map[string]*slot
	retired []*wasmhost.Policy // replaced, and perhaps still held by transfers
}

// slot is one module's place.
type slot struct {
	settings []byte
	bytes    []byte
	policy   *wasmhost.Policy
	previous []byte // for rollback; nil if there is none
}

// load makes the policy of a slot that the configuration names. The slot must be
// new.
func (m *modules) load(ctx context.Context, name string, module, settings []byte) (*wasmhost.Policy, error) {
	p, err := m.host.Load(ctx, name, module, wasmhost.LoadOptions{Settings: settings})
	if err != nil {
		return nil, err
	}
	m.slots[name] = &slot{settings: settings, bytes: module, policy: p}
	return p, nil
}

// Swap implements control.Controller.
func (m *modules) Swap(ctx context.Context, name string, module []byte) (control.Policy, error) {
	m.swapping.Lock()
	defer m.swapping.Unlock()
	s, err := m.find(name)
	if err != nil {
		return control.Policy{}, err
	}
	return m.put(ctx, name, s, module, policy.EventPolicySwapped)
}

// Rollback implements control.Controller. Rolling back twice brings back what
// was there first.
func (m *modules) Rollback(ctx context.Context, name string) (control.Policy, error) {
	m.swapping.Lock()
	defer m.swapping.Unlock()
	s, err := m.find(name)
	if err != nil {
		return control.Policy{}, err
	}
	if s.previous == nil {
		return control.Policy{}, &control.Refusal{Code: "EF2002",
			Message: fmt.Sprintf("policy %q has not been swapped since the server was started", name),
			Help:    "edgeftp policy swap NAME PATH brings in another module"}
	}
	return m.put(ctx, name, s, s.previous, policy.EventPolicyRolledBack)
}

func (m *modules) find(name string) (*slot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.slots[name]; s != nil {
		return s, nil
	}
	return nil, &control.Refusal{Code: "EF2001", Message: fmt.Sprintf("no policy module is called %q", name),
		Help: "edgeftp policy list shows the names; native policies cannot be swapped"}
}

// put loads a module beside the running one, swaps them, and tells observers by an
// event of the kind. The caller holds swapping.
func (m *modules) put(ctx context.Context, name string, s *slot, module []byte, kind policy.EventKind) (control.Policy, error) {
	p, err := m.host.Load(ctx, name, module, wasmhost.LoadOptions{Settings: s.settings})
	if err != nil {
		return control.Policy{}, refusal(name, err, m.generation(name))
	}
	generation, err := m.server.Swap(name, p)
	if err != nil {
		return control.Policy{}, errors.Join(err, p.Close())
	}
	m.server.Tell(policy.Event{Kind: kind, Text: p.Digest(), Policy: name, Generation: generation})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retired = append(m.retired, s.policy)
	s.policy, s.bytes, s.previous = p, module, s.bytes
	for _, st := range m.policies() {
		if st.Name == name {
			return st, nil
		}
	}
	return control.Policy{}, fmt.Errorf("policy %q has gone", name)
}

// refusal says in the caller's words why a module was not taken.
func refusal(name string, err error, generation uint64) error {
	r := &control.Refusal{Code: "EF2000", Message: fmt.Sprintf("policy %q: %v", name, err)}
	var load *wasmhost.LoadError
	if errors.As(err, &load) {
		r.Code = string(load.Code)
	}
	r.Message += fmt.Sprintf("\n   = generation %d keeps running", generation)
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

// Status implements control.Controller.
func (m *modules) Status() control.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	st, s := m.base, m.server.Status()
	st.Sessions, st.Transfers, st.Draining, st.OldGenerations = s.Sessions, s.Transfers, s.Draining, s.OldGenerations
	st.Policies = m.policies()
	living := m.retired[:0]
	for _, p := range m.retired {
		if n := p.Stats().Instances; n > 0 {
			st.OldInstances += n
			living = append(living, p)
		}
	}
	m.retired = living
	return st
}

// policies describes what is in force. The caller holds mu.
func (m *modules) policies() []control.Policy {
	var out []control.Policy
	for _, p := range m.server.Status().Policies {
		st := control.Policy{Name: p.Name, Generation: p.Generation, Kind: "native", Since: p.Since.UTC().Truncate(time.Second),
			Calls: p.Calls, Denied: p.Denied, Failed: p.Failed, Dropped: p.Events.Dropped}
		hooks := p.Policy.Hooks()
		if hooks.Authenticator != nil {
			st.Hooks = append(st.Hooks, "auth")
		}
		if hooks.Authorizer != nil {
			st.Hooks = append(st.Hooks, "fs")
		}
		if hooks.Observer != nil {
			st.Hooks = append(st.Hooks, "event")
		}
		if w, ok := p.Policy.(*wasmhost.Policy); ok {
			st.Kind, st.Digest, st.Instances = "module", w.Digest(), w.Stats().Instances
			st.CanRoll = m.slots[p.Name].previous != nil
		}
		out = append(out, st)
	}
	return out
}

// baseStatus is the part of the status that does not change.
func baseStatus(root string, listeners []control.Listener) control.Status {
	return control.Status{Version: version(), PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second),
		Root: root, Listeners: listeners}
}
