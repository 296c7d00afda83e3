package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/ledger"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// try puts a candidate on trial. The caller holds swapping.
func (m *modules) try(s *slot, c *candidate, t edge.Trial) error {
	if t.Percent == 0 {
		t.Percent = 100
	}
	set := func(name string, next *candidate) {
		m.mu.Lock()
		m.trial, s.next = name, next
		m.mu.Unlock()
	}
	set(s.conf.Name, c) // first: the trial may end at any moment after it has begun
	generation, err := m.server.Canary(s.conf.Name, c.policy, t)
	if err != nil {
		set("", nil)
		return err
	}
	m.watch(s, c, generation)
	m.log.Info("policy on trial", "policy", s.conf.Name, "policy_gen", generation, "digest", c.policy.Digest(),
		"version", c.accepted.Version, "percent", t.Percent, "for", t.For.String())
	return nil
}

// changed is told of every trial that has ended.
func (m *modules) changed(c edge.PolicyChange) {
	m.mu.Lock()
	s := m.slots[c.Name]
	if s == nil || s.next == nil {
		m.mu.Unlock()
		return
	}
	next := s.next
	gone := next.policy
	promoted := c.Kind == policy.EventPolicySwapped
	if promoted {
		gone, s.now = s.now.policy, next
	}
	s.next, m.trial = nil, ""
	m.retired = append(m.retired, gone)
	m.mu.Unlock()
	say := m.log.Warn
	if promoted {
		m.accept(c.Name, next)
		say = m.log.Info
	}
	say("policy trial ended", "event", c.Kind.String(), "policy", c.Name, "policy_gen", c.Generation, "candidate_gen", c.Candidate,
		"digest", next.accepted.Digest.String(), "reason", c.Text)
}

// compare makes a candidate a shadow. The caller holds swapping.
func (m *modules) compare(s *slot, c *candidate) error {
	m.mu.Lock()
	there := s.shadow != nil
	m.mu.Unlock()
	if there {
		return &control.Refusal{Code: control.CodeCandidate, Message: fmt.Sprintf("policy %q is compared with a candidate already", s.conf.Name),
			Help: fmt.Sprintf("edgeftp policy rollback %s ends it", s.conf.Name)}
	}
	if err := m.server.Shadow(s.conf.Name, c.policy); err != nil {
		return err
	}
	m.mu.Lock()
	s.shadow = c
	m.mu.Unlock()
	return nil
}

// candidates says what a slot has beside the module in force.
func (m *modules) candidates(name string) (s *slot, trial bool, shadow *candidate, err error) {
	if s, err = m.find(name); err != nil {
		return nil, false, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return s, m.trial == name, s.shadow, nil
}

// endShadow ends a comparison. The caller holds swapping.
func (m *modules) endShadow(s *slot) error {
	st, err := m.server.EndShadow(s.conf.Name) // closes the candidate
	if err != nil {
		return err
	}
	m.mu.Lock()
	c := s.shadow
	s.shadow = nil
	m.mu.Unlock()
	m.log.Info("policy comparison ended", "policy", s.conf.Name, "digest", c.policy.Digest(),
		"compared", st.Compared, "differed", st.Differed, "failed", st.Failed, "dropped", st.Dropped)
	return nil
}

// Promote implements control.Policies.
func (m *modules) Promote(ctx context.Context, name string) (control.Policy, error) {
	m.swapping.Lock()
	defer m.swapping.Unlock()
	s, trial, shadow, err := m.candidates(name)
	switch {
	case err != nil:
		return control.Policy{}, err
	case trial:
		_, err = m.server.Promote(name)
	case shadow != nil:
		// A shadow never had the real store, so it is loaded again.
		var c *candidate
		in := &control.Module{Name: name, Module: shadow.bytes, Source: shadow.accepted.Source}
		c, err = m.prepare(ctx, s.conf, offer{Module: in, back: &ledger.Entry{Accepted: shadow.accepted}})
		if err == nil {
			if err = m.put([]*slot{s}, []*candidate{c}, policy.EventPolicySwapped); err != nil {
				closeAll([]*candidate{c})
			} else {
				err = m.endShadow(s)
			}
		}
	default:
		err = &control.Refusal{Code: control.CodeNoCandidate, Message: fmt.Sprintf("policy %q has no candidate", name),
			Help: "edgeftp policy swap with --canary, --for or --shadow makes one"}
	}
	if err != nil {
		return control.Policy{}, m.refusal(name, err)
	}
	return m.one(name)
}

// Rollback implements control.Policies.
func (m *modules) Rollback(ctx context.Context, name, to string) (control.Policy, error) {
	m.swapping.Lock()
	defer m.swapping.Unlock()
	s, trial, shadow, err := m.candidates(name)
	switch {
	case err != nil:
		return control.Policy{}, err
	case trial:
		_, err = m.server.Rollback(name)
	case shadow != nil && to == "":
		err = m.endShadow(s)
	default:
		err = m.back(ctx, s, to)
	}
	if err != nil {
		return control.Policy{}, m.refusal(name, err)
	}
	return m.one(name)
}

// back brings an earlier module of a slot back. The caller holds swapping.
func (m *modules) back(ctx context.Context, s *slot, to string) error {
	name := s.conf.Name
	e, err := m.earlier(name, to)
	if err != nil {
		return err
	}
	module, err := m.ledger.Module(e.Digest)
	switch {
	case errors.Is(err, ledger.ErrChanged):
		return &control.Refusal{Code: control.CodePolicyChanged, Message: fmt.Sprintf("policy %q cannot go back to %v: what was kept of it has changed", name, e.Digest),
			Help: "swap the module in from where it came from: " + e.Source}
	case err != nil:
		return err
	}
	c, err := m.prepare(ctx, s.conf, offer{Module: &control.Module{Name: name, Module: module, Source: e.Source}, back: &e})
	if err != nil {
		return err
	}
	if err := m.put([]*slot{s}, []*candidate{c}, policy.EventPolicyRolledBack); err != nil {
		closeAll([]*candidate{c})
		return err
	}
	return nil
}

// earlier finds the module that a rollback means.
func (m *modules) earlier(name, to string) (ledger.Entry, error) {
	history := m.ledger.History(name)
	if to == "" {
		to = "1"
		if len(history) < 2 {
			return ledger.Entry{}, &control.Refusal{Code: control.CodePolicyFirst, Message: fmt.Sprintf("policy %q has no earlier module", name),
				Help: "edgeftp policy swap NAME PATH brings in another module"}
		}
	}
	var found []ledger.Entry
	n, err := strconv.Atoi(to)
	for i, e := range history {
		digest := e.Digest.String()
		if err == nil && n == i || err != nil && (strings.HasPrefix(digest, to) || strings.HasPrefix(digest, "sha256:"+to)) {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		return ledger.Entry{}, &control.Refusal{Code: control.CodePolicyHistory, Message: fmt.Sprintf("%.100q names no module that policy %q had", to, name),
			Help: fmt.Sprintf("edgeftp policy history %s lists them: give a number, or the beginning of a digest", name)}
	}
	return found[0], nil
}

// History implements control.Policies.
func (m *modules) History(name string) ([]control.Accepted, error) {
	if _, err := m.find(name); err != nil {
		return nil, err
	}
	var out []control.Accepted
	for i, e := range m.ledger.History(name) {
		out = append(out, control.Accepted{Number: i, Digest: e.Digest.String(), Version: e.Version, Signer: e.Signer, Source: e.Source, At: e.At, Size: e.Size})
	}
	return out, nil
}

// Differences implements control.Policies.
func (m *modules) Differences(name string) ([]control.Difference, error) {
	if _, err := m.find(name); err != nil {
		return nil, err
	}
	var out []control.Difference
	for _, p := range m.server.Status().Policies {
		if p.Name != name || p.Shadow == nil {
			continue
		}
		for _, d := range p.Shadow.Differences {
			st := control.Difference{Time: d.Time.UTC(), Stage: d.Stage.String(), Path: d.Path, User: d.User, Main: outcome(d.Main), Candidate: outcome(d.Candidate)}
			if d.Op != 0 {
				st.Op = d.Op.String()
			}
			out = append(out, st)
		}
	}
	return out, nil
}

// outcome is what a policy made of a question, in one line.
func outcome(o edge.Outcome) string {
	text := o.Verdict.String()
	if o.Failed {
		text = "failed"
	}
	if o.Code != 0 {
		text += " " + strconv.Itoa(o.Code)
	}
	for _, more := range []string{o.Text, o.Path, o.Path2} {
		if more != "" {
			text += " " + strconv.Quote(more)
		}
	}
	return text
}

// known reports whether a slot's module is the one with a digest.
func (m *modules) known(name string, d trust.Digest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slots[name]
	return s != nil && s.now.accepted.Digest == d
}
