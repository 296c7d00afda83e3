package chain_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// hosted is a policy that writes down what it was asked.
type hosted struct {
	mu   sync.Mutex
	seen []string // hosts, each once
}

func (h *hosted) policy(name string) *fake {
	note := func(s *policy.Session) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !slices.Contains(h.seen, s.VHost) {
			h.seen = append(h.seen, s.VHost)
		}
	}
	return &fake{name: name,
		auth: func(q *policy.Login) (policy.Identity, error) {
			note(q.Session)
			return policy.Identity{Verdict: policy.Allow}, nil
		},
		fs: func(q *policy.Action) (policy.Answer, error) { note(q.Session); return policy.Answer{}, nil },
		observe: func(_ context.Context, e *policy.Event) error {
			note(e.Session)
			return nil
		}}
}

// askAll asks everything about a session of each host.
func askAll(c *chain.Chain) (by map[string][]string) {
	by = map[string][]string{}
	for _, host := range []string{"", "a", "b", "nowhere"} {
		s := &policy.Session{ID: 1, User: "anna", VHost: host}
		l := c.LeaseOf(1, host)
		cred, _ := l.Authenticate(context.Background(), &policy.Login{Meta: policy.Meta{Session: s}})
		by[host] = cred.By
		_, _ = l.Authorize(context.Background(), &policy.Action{Meta: policy.Meta{Session: s}, Op: policy.OpRead, Path: "/"})
		l.Observe(policy.Event{Meta: policy.Meta{Session: s}, Kind: policy.EventLogin})
		l.Release()
	}
	return by
}

// A policy with hosts is asked about theirs alone, in its place among those of all, and
// so is what is swapped in for it, judges beside it, or is compared with it.
func TestHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all, a, both, none hosted
		slots := []chain.Slot{
			{Name: "a", Policy: a.policy("a"), Options: chain.Options{Hosts: []string{"a"}}},
			{Name: "all", Policy: all.policy("all")},
			{Name: "both", Policy: both.policy("both"), Options: chain.Options{Hosts: []string{"b", "a"}}},
			{Name: "none", Policy: none.policy("none"), Options: chain.Options{Hosts: []string{""}}},
		}
		c, err := chain.New(chain.Config{Clean: clean}, slots...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		check := func(when string, h *hosted, want ...string) {
			t.Helper()
			<-time.After(time.Second) // events are gathered for a moment
			synctest.Wait()
			h.mu.Lock()
			defer h.mu.Unlock()
			slices.Sort(h.seen)
			if !slices.Equal(h.seen, want) {
				t.Errorf("%s a policy has seen the sessions of %q, not of %q", when, h.seen, want)
			}
		}
		by := askAll(c)
		for host, want := range map[string][]string{"": {"all", "none"}, "a": {"a", "all", "both"}, "b": {"all", "both"}, "nowhere": {"all"}} {
			if !slices.Equal(by[host], want) {
				t.Errorf("a login at %q was allowed by %q, not by %q", host, by[host], want)
			}
		}
		check("at first", &a, "a")
		check("at first", &both, "a", "b")
		check("at first", &none, "")
		check("at first", &all, "", "a", "b", "nowhere")

		var next, shadow, canary hosted
		if _, err := c.Swap("a", next.policy("a2")); err != nil {
			t.Fatal(err)
		}
		if err := c.Shadow("both", shadow.policy("both2")); err != nil {
			t.Fatal(err)
		}
		askAll(c)
		check("after a swap", &next, "a")
		check("as a shadow", &shadow, "a", "b")
		if _, err := c.EndShadow("both"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Canary("both", canary.policy("both3"), chain.Trial{Percent: 100}); err != nil {
			t.Fatal(err)
		}
		askAll(c)
		check("on trial", &canary, "a", "b")
		if _, err := c.Rollback("both"); err != nil {
			t.Fatal(err)
		}

		slots[2].Options.Hosts = []string{"b"}
		slots[0].Policy, slots[2].Policy = new(hosted).policy("a"), both.policy("both")
		check("on trial", &both, "a", "b")
		both.seen = nil
		if err := c.Replace(slots...); err != nil {
			t.Fatal(err)
		}
		askAll(c)
		check("with other hosts", &both, "b")
	})
}

// A lease goes with the session from host to host.
func TestLeaseMoves(t *testing.T) {
	var a, b hosted
	c, err := chain.New(chain.Config{Clean: clean}, chain.Slot{Name: "a", Policy: a.policy("a"), Options: chain.Options{Hosts: []string{"a"}}},
		chain.Slot{Name: "b", Policy: b.policy("b"), Options: chain.Options{Hosts: []string{"b"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l := c.LeaseOf(1, "")
	if l.Asks(policy.StageFS) || l.Authorizes(policy.OpRead) || l.Observed(policy.EventLogin) || c.Observed(1, "", policy.EventLogin) {
		t.Error("of no host, somebody is to be asked")
	}
	l = l.In("b")
	if !l.Asks(policy.StageFS) || !l.Authorizes(policy.OpRead) || !l.Observed(policy.EventLogin) || !c.Observed(1, "b", policy.EventLogin) {
		t.Error("of b, nobody is to be asked")
	}
	l.Release()
	if (chain.Lease{}).In("b") != (chain.Lease{}) {
		t.Error("what holds nothing has become something")
	}
	for _, hosts := range [][]string{{"a", "a"}, {"\x00"}} {
		if _, err := chain.New(chain.Config{Clean: clean}, chain.Slot{Name: "x", Policy: says(policy.Answer{}), Options: chain.Options{Hosts: hosts}}); err == nil {
			t.Errorf("the hosts %q are taken", hosts)
		}
	}
}

// What a question costs where there are no hosts, some, and many.
func BenchmarkHosts(b *testing.B) {
	for name, hosts := range map[string][][]string{"none": {nil}, "two": {nil, {"a"}, {"b"}}} {
		b.Run(name, func(b *testing.B) {
			var slots []chain.Slot
			for i, h := range hosts {
				slots = append(slots, chain.Slot{Name: string(rune('a' + i)), Policy: says(policy.Answer{}), Options: chain.Options{Hosts: h}})
			}
			c, err := chain.New(chain.Config{Clean: clean}, slots...)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			q := action(policy.OpRead, "/x")
			host := ""
			if name != "none" {
				host = "a"
			}
			b.ReportAllocs()
			for b.Loop() {
				l := c.LeaseOf(1, host)
				if l.Authorizes(policy.OpRead) {
					_, _ = l.Authorize(context.Background(), q)
				}
				l.Release()
			}
		})
	}
}
