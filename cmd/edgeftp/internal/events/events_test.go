package events

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func event(kind policy.EventKind, user string, session uint64) *policy.Event {
	return &policy.Event{Kind: kind, Path: "/a", Size: 5, Meta: policy.Meta{Time: time.Unix(1e9, 0), Session: &policy.Session{ID: session, User: user}}}
}

func TestConformance(t *testing.T) {
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy {
		h := new(Hub)
		r, err := h.Follow(Filter{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return h.Policy()
	}, policytest.Case{Event: event(policy.EventLogin, "a", 1)})
}

func TestFilters(t *testing.T) {
	h := new(Hub)
	defer h.Close()
	follow := func(f Filter) *Reader {
		r, err := h.Follow(f)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all, kind, user, session := follow(Filter{}), follow(Filter{Kinds: []string{"login", "denied"}}), follow(Filter{User: "b"}), follow(Filter{Session: 2})
	o := h.Policy().(policy.Observer)
	for _, e := range []*policy.Event{event(policy.EventLogin, "a", 1), event(policy.EventFileSent, "b", 2), event(policy.EventLogin, "b", 3)} {
		if err := o.Observe(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		e.Size = 99 // a record outlives its event
	}
	for i, want := range []int{3, 2, 2, 1} {
		if got := len([]*Reader{all, kind, user, session}[i].Events()); got != want {
			t.Errorf("reader %d: %d events of %d", i, got, want)
		}
	}
	if e := <-session.Events(); e.Event != "file_sent" || *e.Bytes != 5 {
		t.Errorf("%+v", e)
	}
	if slices.Contains(Kinds(), "command_done") || !slices.Contains(Kinds(), "draining") || !slices.Contains(Kinds(), "connect") {
		t.Errorf("%v", Kinds())
	}
}

// Whoever is slow loses events and nothing waits for him; there are not too many of them.
func TestSlow(t *testing.T) {
	h := new(Hub)
	slow, err := h.Follow(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	o := h.Policy().(policy.Observer)
	for range queue + 7 {
		_ = o.Observe(t.Context(), event(policy.EventLogin, "a", 1))
	}
	if n := slow.Lost(); n != 7 || slow.Lost() != 0 {
		t.Errorf("%d were lost", n)
	}
	for range MaxReaders - 1 {
		if _, err := h.Follow(Filter{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Follow(Filter{}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	slow.Close()
	slow.Close()
	last, err := h.Follow(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	h.Close()
	last.Close()
	if _, ok := <-last.Events(); ok {
		t.Error("it goes on")
	}
	if r, err := h.Follow(Filter{}); err != nil {
		t.Error(err)
	} else if _, ok := <-r.Events(); ok {
		t.Error("it begins")
	}
	if err := o.Observe(t.Context(), event(policy.EventLogin, "a", 1)); err != nil {
		t.Error(err)
	}
}

// What nobody follows costs next to nothing.
func BenchmarkNobody(b *testing.B) {
	o, e := new(Hub).Policy().(policy.Observer), event(policy.EventLogin, "a", 1)
	b.ReportAllocs()
	for b.Loop() {
		_ = o.Observe(b.Context(), e)
	}
}

// TestDormant holds that a hub is to be told as soon as somebody follows, and no longer
// than that.
func TestDormant(t *testing.T) {
	h := new(Hub)
	dormant := h.Policy().Hooks().Dormant
	if !dormant() {
		t.Error("it is told what nobody follows")
	}
	for range 2 {
		a, err := h.Follow(Filter{})
		if err != nil || dormant() {
			t.Errorf("nobody is heard: %v", err)
		}
		b, err := h.Follow(Filter{})
		a.Close()
		if err != nil || dormant() {
			t.Errorf("the one who is left is not heard: %v", err)
		}
		if b.Close(); !dormant() {
			t.Error("it is told for those who have gone")
		}
	}
	if _, err := h.Follow(Filter{}); err != nil {
		t.Fatal(err)
	}
	if h.Close(); !dormant() {
		t.Error("a closed hub is told")
	}
}
