// Package policytest holds the conformance function of policy: what every policy
// must keep to, whoever made it and in whatever it runs. An author runs it on a
// policy, with a table of questions and what is to become of them:
//
//	func TestConformance(t *testing.T) {
//		policytest.TestPolicy(t, func(t *testing.T) policy.Policy { return mine.New() },
//			policytest.Case{Action: &policy.Action{Op: policy.OpRead, Path: "/a.exe"}, Want: policy.Pass},
//			policytest.Case{Action: &policy.Action{Op: policy.OpWrite, Path: "/a.exe"}, Want: policy.Deny},
//		)
//	}
//
// Run it with -race: that is what tells whether a policy is safe for concurrent use.
package policytest

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Case is a question and what a policy must make of it. One of Login, Action,
// Command, Site and Event is set. A question without a session gets one of a client that has sent
// nothing yet; the case itself is not changed.
type Case struct {
	Name    string // of the subtest; empty for a name made of the question
	Login   *policy.Login
	Action  *policy.Action
	Command *policy.Command
	Site    *policy.SiteCall
	Event   *policy.Event
	// Want is the verdict. An observer gives none: Want is Pass beside Event.
	Want policy.Verdict
	// Fails says that the policy cannot decide, or loses the event: it must return
	// an error. Want is then Pass.
	Fails bool
}

// TestPolicy checks a policy, first against the rules that hold for all of them:
//
//   - its name is one line and always the same, and so are its stages;
//   - it is safe for concurrent use, and changes no question;
//   - no question makes it panic, be it empty or of a later server;
//   - it answers soon after the context has ended, and the next question as ever;
//   - its answers mean something in their stage: verdict, reply code, paths,
//     texts of one line, limits, the length of the state;
//   - it gives no password away, nor what binds a login to its connection, not even
//     in an error;
//   - it can be closed once, if it is an io.Closer.
//
// The questions are those of every stage in which the policy takes part, and those
// of the cases. An error is always an answer. Then each case is asked, of a policy
// that was asked nothing before, and must end as it says.
//
// Each call of make must return a new policy. TestPolicy owns it and closes it
// once. No check takes longer than a minute, even if the policy does nothing right.
func TestPolicy(t *testing.T, make func(t *testing.T) policy.Policy, cases ...Case) {
	run(t, make, patience, cases)
}

// patience passes only when something is wrong.
const patience = 10 * time.Second

func run(t *testing.T, make func(t *testing.T) policy.Policy, limit time.Duration, cases []Case) {
	asked := questions()
	for _, c := range cases {
		if q, err := c.question(); err == nil {
			asked = append(asked, q)
		}
	}
	do := func(name string, f func(*bench)) {
		t.Run(name, func(t *testing.T) {
			b := &bench{T: t, limit: limit, policy: make(t), told: map[string]bool{}}
			if b.policy == nil {
				t.Fatal("there is no policy")
			}
			var cancel context.CancelFunc
			b.ctx, cancel = context.WithTimeout(t.Context(), limit) // making it may have taken its time
			defer cancel()
			defer b.close()
			b.hooks = b.policy.Hooks()
			b.asked = b.answerable(asked)
			f(b)
		})
	}
	for _, c := range checks() {
		do(c.name, c.run)
	}
	for _, c := range cases {
		do(c.name(), func(b *bench) { b.decides(c) })
	}
}

// name is the name of the case's subtest.
func (c Case) name() string {
	q, err := c.question()
	switch {
	case c.Name != "":
		return "case " + c.Name
	case err != nil:
		return "case"
	}
	return "case " + q.name()
}

// question is the case's question, with a session.
func (c Case) question() (question, error) {
	n := 0
	for _, set := range []bool{c.Login != nil, c.Action != nil, c.Command != nil, c.Site != nil, c.Event != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return question{}, errors.New("a case has one of Login, Action, Command, Site and Event")
	}
	q := question{login: c.Login, action: c.Action, command: c.Command, site: c.Site, event: c.Event}.clone()
	if m := q.meta(); m.Session == nil {
		m.Session = &policy.Session{ID: 1, Root: "/"}
	}
	return q, nil
}

// bench is one policy under test with short words for what checks do.
type bench struct {
	*testing.T
	ctx    context.Context // ends when the limit has passed
	limit  time.Duration
	policy policy.Policy
	hooks  policy.Hooks // read once, as a chain does
	asked  []question
	told   map[string]bool // faults, each of which is told once
}

// answerable returns the questions of stages in which the policy takes part.
func (b *bench) answerable(all []question) (some []question) {
	for _, q := range all {
		if q.takes(b.hooks) {
			some = append(some, q)
		}
	}
	return some
}

// within waits for what is under way and stops the test if it does not end.
func (b *bench) within(what string, limit time.Duration, done <-chan reply) reply {
	b.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r
	case <-timer.C:
		b.Fatalf("%s: no answer after %v", what, limit)
		return reply{}
	}
}

// each does something with every question, while there is time.
func (b *bench) each(do func(question)) {
	for i, q := range b.asked {
		if b.ctx.Err() != nil {
			b.Logf("only the first %d of %d questions were asked in %v", i, len(b.asked), b.limit)
			return
		}
		do(q)
	}
}

// ask asks one question and judges the answer.
func (b *bench) ask(q question) reply {
	b.Helper()
	shown := q.clone()
	r := b.within(q.name(), 2*b.limit, begin(b.ctx, b.hooks, shown))
	b.judge(q, shown, r)
	return r
}

// judge tells what is wrong with the answer to q, or with the question that was
// shown to the policy.
func (b *bench) judge(q, shown question, r reply) {
	b.Helper()
	found := faults(r.faults(q))
	if !shown.equal(q) {
		found.add("the question was changed")
	}
	b.tell(q, found)
}

// tell fails the check for faults that were not told before: most break the same
// rule in every answer.
func (b *bench) tell(q question, found faults) {
	b.Helper()
	for _, fault := range found {
		if rule, _, _ := strings.Cut(fault, "\n"); !b.told[rule] { // a panic's stack is another one each time
			b.told[rule] = true
			b.Errorf("%s: %s", q.name(), fault)
		}
	}
}

// close closes the policy, as the chain that owns it does.
func (b *bench) close() {
	b.Helper()
	c, ok := b.policy.(io.Closer)
	if !ok {
		return
	}
	r := b.within("Close", b.limit, start(func(r *reply) { r.err = c.Close() }))
	if r.panicked != "" {
		b.Errorf("Close: panic: %s", r.panicked)
	}
	if r.err != nil {
		b.Errorf("Close: %v", r.err)
	}
}
