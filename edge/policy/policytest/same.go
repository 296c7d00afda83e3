package policytest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// randomQuestions is how many random questions two policies are asked.
const randomQuestions = 1000

// TestSame checks that two policies cannot be told apart, such as one that is linked
// natively and the same one in a sandbox: they take part in the same stages, have
// the same interest and SITE commands, and make the same of each question, field by
// field. An error is like any other error, a list without items like none, and a
// time is compared as an instant.
//
// Each call of one and other must return a new policy that remembers nothing.
// TestSame asks a pair of them the cases, in their order, so that they may build on
// each other; another pair the questions of [TestPolicy]; and a third one random
// questions, which are the same each time. Verdicts of the cases are not looked at:
// that is done by TestPolicy.
//
// A question without a time gets one. None has a NUL or no operation, which not
// every border can carry.
func TestSame(t *testing.T, one, other func(t *testing.T) policy.Policy, cases ...Case) {
	do := func(name string, asked []question) {
		t.Run(name, func(t *testing.T) {
			p := &pair{T: t, hooks: [2]policy.Hooks{one(t).Hooks(), other(t).Hooks()}}
			p.sameHooks()
			n := 0
			for _, q := range asked {
				if q.takes(p.hooks[0]) && q.takes(p.hooks[1]) {
					n++
					p.ask(q)
				}
			}
			if n == 0 {
				t.Error("there was nothing to ask")
			}
		})
	}
	if len(cases) > 0 {
		var asked []question
		for _, c := range cases {
			q, err := c.question()
			if err != nil {
				t.Fatalf("%s: %v", c.name(), err)
			}
			asked = append(asked, q)
		}
		do("cases", asked)
	}
	do("questions", questions())
	do("random questions", random(rand.New(rand.NewPCG(1, 2)), randomQuestions))
}

// pair are the policies that are compared.
type pair struct {
	*testing.T
	hooks [2]policy.Hooks
	told  int // differences so far
}

func (p *pair) sameHooks() {
	p.Helper()
	if a, b := stagesOf(p.hooks[0]), stagesOf(p.hooks[1]); a != b {
		p.Errorf("the one takes part in %s, the other in %s", a, b)
	}
	if p.hooks[0].Tap != p.hooks[1].Tap {
		p.Error("only one of them is a tap")
	}
	p.same("Interest", p.hooks[0].Interest, p.hooks[1].Interest)
	if p.hooks[0].Site != nil && p.hooks[1].Site != nil {
		p.same("SITE commands", p.hooks[0].Site.SiteCommands(), p.hooks[1].Site.SiteCommands())
	}
}

// ask asks both the same.
func (p *pair) ask(q question) {
	p.Helper()
	if q.meta().Time.IsZero() {
		q = q.clone()
		q.meta().Time = meta(nil).Time
	}
	var got [2]reply
	for i := range got {
		shown := q.clone()
		got[i] = catch(func(r *reply) {
			ctx, cancel := context.WithTimeout(p.Context(), patience)
			defer cancel()
			r.put(ctx, p.hooks[i], shown)
		})
		if got[i].panicked != "" {
			p.Fatalf("%s: panic: %s", q.name(), got[i].panicked)
		}
	}
	a, b := got[0], got[1]
	if (a.err == nil) != (b.err == nil) {
		p.differ("%s: the one's error is %v, the other's %v", q.name(), a.err, b.err)
		return
	}
	if a.err != nil {
		return
	}
	a.identity.Reason, b.identity.Reason = "", ""               // for the log alone, and no word of the guest ABI
	a.identity.DenyNetworks, b.identity.DenyNetworks = nil, nil // no word of it either
	p.same(q.name(), a.identity, b.identity)
	p.same(q.name(), a.answer, b.answer)
	p.same(q.name(), a.site, b.site)
}

// same compares two values field by field.
func (p *pair) same(what string, a, b any) {
	p.Helper()
	for _, d := range differences("", reflect.ValueOf(a), reflect.ValueOf(b)) {
		p.differ("%s: %s", what, d)
	}
}

// differ tells of a difference, and gives up after many.
func (p *pair) differ(format string, args ...any) {
	p.Helper()
	p.Errorf(format, args...)
	if p.told++; p.told == 20 {
		p.Fatal("there may be more differences")
	}
}

// differences lists the fields in which two values of one type differ.
func differences(name string, a, b reflect.Value) []string {
	if t, ok := a.Interface().(time.Time); ok {
		if t.Equal(b.Interface().(time.Time)) {
			return nil
		}
		return []string{told(name, a, b)}
	}
	switch a.Kind() {
	case reflect.Struct:
		if a.NumField() > 0 && !a.Type().Field(0).IsExported() {
			break // such as an address: it is compared as a whole
		}
		var all []string
		for i := range a.NumField() {
			all = append(all, differences(strings.TrimPrefix(name+"."+a.Type().Field(i).Name, "."), a.Field(i), b.Field(i))...)
		}
		return all
	case reflect.Slice:
		if a.Len() != b.Len() {
			return []string{told(name, a, b)}
		}
		var all []string
		for i := range a.Len() {
			all = append(all, differences(fmt.Sprintf("%s[%d]", name, i), a.Index(i), b.Index(i))...)
		}
		return all
	case reflect.Pointer:
		if !a.IsNil() && !b.IsNil() {
			return differences(name, a.Elem(), b.Elem())
		}
	}
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		return nil
	}
	return []string{told(name, a, b)}
}

func told(name string, a, b reflect.Value) string {
	return fmt.Sprintf("%s is %#v of the one and %#v of the other", name, a.Interface(), b.Interface())
}

// random makes questions of a few users, addresses, paths and sizes, so that they
// meet again and again. Requests rise, and so does the time.
func random(r *rand.Rand, n int) []question {
	var all []question
	for i := range n {
		s := randomSession(r)
		m := policy.Meta{Session: s, Request: uint64(i/2 + 1), Time: meta(nil).Time.Add(time.Duration(i) * 20 * time.Millisecond)}
		path := pick(r, "/", "/a", "/a/b.txt", "/in/ä b.txt", "/in/x.exe")
		size := pick[int64](r, 0, 1, 50, 99, 100, 101, 1<<20, 1<<40, -1)
		switch r.IntN(5) {
		case 0:
			all = append(all, question{login: &policy.Login{Meta: m, Early: r.IntN(4) == 0}})
		case 1:
			all = append(all, question{action: &policy.Action{Meta: m, Op: policy.Op(r.IntN(int(policy.OpSymlink)+1) + 1), Path: path, Arg: path,
				A: size, B: pick[int64](r, 0, 0, 10), Exists: r.IntN(2) == 0, Dir: r.IntN(6) == 0, Size: pick[int64](r, 0, 10, 100, 1<<30)}})
		case 2:
			all = append(all, question{command: &policy.Command{Meta: m, Verb: pick(r, "NOOP", "QUIT", "ABOR", "RETR", "SITE CHMOD"), Arg: path, Dir: "/"}})
		case 3:
			all = append(all, question{site: &policy.SiteCall{Meta: m, Verb: pick(r, "QUOTA", "OTHER"), Arg: pick(r, "", "", "x"), Dir: "/"}})
		case 4:
			all = append(all, randomEvent(r, m, path, size))
		}
	}
	return all
}

func randomEvent(r *rand.Rand, m policy.Meta, path string, size int64) question {
	kind := pick(r, policy.GuestEvents()...)
	if r.IntN(2) == 0 { // those that matter to most
		kind = pick(r, policy.EventLoginFailed, policy.EventFileReceived, policy.EventIncompleteFileReceived, policy.EventFileSent, policy.EventFileDeleted)
	}
	return question{event: &policy.Event{Meta: m, Kind: kind, Path: path, Text: pick(r, "", "no policy has granted it", "guard failed: x"), Op: policy.OpWrite,
		Size: max(size, 0), Took: time.Duration(r.IntN(5000)) * time.Millisecond, Code: pick(r, 0, 226, 426, 550), Policy: pick(r, "", "guard")}}
}

func randomSession(r *rand.Rand) *policy.Session {
	s := pick(r, bare, full, odd)()
	s.ID = r.Uint64N(4) + 1
	s.User = pick(r, "anna", "bob", "anonymous", "robot", "", "\xff")
	s.Group = pick(r, "", "staff", "guests")
	s.Anon = s.User == "anonymous"
	s.State = nil
	if !slices.Contains([]string{"anna", "robot"}, s.User) {
		s.TLS = policy.TLS{}
	}
	return s
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
