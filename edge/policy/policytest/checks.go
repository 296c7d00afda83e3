package policytest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// check is one subtest.
type check struct {
	name string
	run  func(*bench)
}

func checks() []check {
	return []check{
		{"questions", (*bench).questions},
		{"name", (*bench).name},
		{"stages", (*bench).stages},
		{"zero questions", (*bench).zeros},
		{"old state", (*bench).oldState},
		{"concurrent use", (*bench).together},
		{"context ended before", (*bench).endedBefore},
		{"context ends meanwhile", (*bench).endsMeanwhile},
		{"Close unused", (*bench).closeUnused},
	}
}

// name: events and operators know the policy by it.
func (b *bench) name() {
	name := b.policy.Name()
	var f faults
	f.line("the name", name)
	if name == "" {
		f.add("the name is empty")
	}
	for _, fault := range f {
		b.Error(fault)
	}
	b.questions()
	if again := b.policy.Name(); again != name {
		b.Errorf("the name was %q and is %q", name, again)
	}
}

// stages: a chain reads them once, so what is read later must be no other.
func (b *bench) stages() {
	if len(b.asked) == 0 {
		b.Fatal("the policy takes part in no stage: there is nothing to look at")
	}
	first := stagesOf(b.hooks)
	for range 2 {
		if again := stagesOf(b.policy.Hooks()); again != first {
			b.Errorf("the stages were %v and are %v", first, again)
		}
		b.questions() // of the stages that were read at first
	}
}

// stagesOf names the stages in which a policy takes part.
func stagesOf(h policy.Hooks) string {
	var names []string
	for stage, in := range map[policy.Stage]bool{policy.StageAuth: h.Authenticator != nil, policy.StageFS: h.Authorizer != nil,
		policy.StageList: h.Lister != nil, policy.StageCmd: h.Commander != nil, policy.StageSite: h.Site != nil,
		policy.StageThrottle: h.Throttler != nil, policy.StageData: h.Filter != nil, policy.StageEvent: h.Observer != nil,
		policy.StageCert: h.Certifier != nil} {
		if in {
			names = append(names, stage.String())
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (b *bench) questions() { b.each(func(q question) { b.ask(q) }) }

func (b *bench) zeros() {
	for _, q := range b.answerable(zeros()) {
		b.ask(q)
	}
}

// oldState shows the policy a state that it has not made, or not in this version: a
// session keeps what it has when a policy is swapped.
func (b *bench) oldState() {
	b.each(func(q question) {
		q = q.clone()
		for _, state := range [][]byte{{}, {0xff, 0, '"'}, make([]byte, policy.MaxState)} {
			q.meta().Session.State = map[string][]byte{b.policy.Name(): state}
			b.ask(q)
		}
	})
}

const (
	askers = 8 // that ask at one time
	rounds = 3 // of each of them through all questions
)

// together asks the same questions from many goroutines. They are shared, so that
// the race detector sees who writes to one.
func (b *bench) together() {
	var shared []question
	for _, q := range b.asked {
		shared = append(shared, q.clone())
	}
	found := make(chan asked, askers)
	for g := range askers {
		go func() { found <- b.asker(g, shared) }()
	}
	timer := time.NewTimer(3 * b.limit)
	defer timer.Stop()
	for range askers {
		select {
		case a := <-found:
			b.tell(a.last, a.faults)
		case <-timer.C:
			b.Fatalf("%d that ask at one time: no answer after %v", askers, 3*b.limit)
		}
	}
	for i, q := range b.asked {
		b.judge(q, shared[i], reply{})
	}
}

// asked is where one of those that ask at one time has ended: at the first faults.
type asked struct {
	last   question
	faults faults
}

func (b *bench) asker(number int, shared []question) (a asked) {
	for i := range rounds * len(shared) {
		i = (i + number*len(shared)/askers) % len(shared)
		if b.ctx.Err() != nil || len(a.faults) > 0 {
			break
		}
		r := catch(func(r *reply) {
			b.policy.Name()
			b.policy.Hooks()
			r.put(b.ctx, b.hooks, shared[i])
		})
		a = asked{b.asked[i], r.faults(b.asked[i])}
	}
	return a
}

// endedBefore asks for somebody who has gone already. The policy may answer or
// fail, but soon.
func (b *bench) endedBefore() {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	b.each(func(q question) {
		shown := q.clone()
		r := b.within(q.name()+" when the context has ended", b.limit, begin(ctx, b.hooks, shown))
		b.judge(q, shown, r)
		b.recovers(q)
	})
}

// pause is how long a policy may think before its context ends.
const pause = 30 * time.Millisecond

// endsMeanwhile ends the context of those who let it wait.
func (b *bench) endsMeanwhile() {
	b.each(func(q question) {
		shown := q.clone()
		ctx, cancel := context.WithCancel(b.ctx)
		defer cancel()
		defer time.AfterFunc(pause, cancel).Stop()
		r := b.within(q.name()+" when the context ended", pause+b.limit, begin(ctx, b.hooks, shown))
		b.judge(q, shown, r)
	})
}

// recovers sees to it that one ended context is not the end of others.
func (b *bench) recovers(q question) {
	b.Helper()
	if r := b.ask(q); errors.Is(r.err, context.Canceled) {
		b.Errorf("%s: the next question fails by the context of the last: %v", q.name(), r.err)
	}
}

// closeUnused closes a policy that was asked nothing. That is done at the end of
// every check, so here nothing else is.
func (b *bench) closeUnused() {
	if _, ok := b.policy.(io.Closer); !ok {
		b.Log("not looked at: the policy is no io.Closer")
	}
}

// decides asks the question of a case.
func (b *bench) decides(c Case) {
	q, err := c.question()
	switch {
	case err != nil:
		b.Fatal(err)
	case c.Want != policy.Pass && (c.Event != nil || c.Fails):
		b.Fatalf("the case wants %s where there is no verdict", c.Want)
	case !q.takes(b.hooks):
		b.Fatalf("the policy is not asked: it takes part in %s", stagesOf(b.hooks))
	}
	r := b.ask(q)
	got := r.verdict(q)
	switch {
	case c.Fails && r.err == nil:
		b.Errorf("it says %s, want an error", got)
	case !c.Fails && r.err != nil:
		b.Errorf("it fails (%v), want %s", r.err, c.Want)
	case !c.Fails && got != c.Want:
		b.Errorf("it says %s, want %s", got, c.Want)
	}
}
