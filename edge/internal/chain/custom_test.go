package chain_test

import (
	"cmp"
	"context"
	"log/slog"
	"testing"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// custom is a fake whose hooks a test has a hand in.
type custom struct {
	*fake
	edit func(h *policy.Hooks)
}

func (c *custom) Hooks() policy.Hooks {
	h := c.fake.Hooks()
	c.edit(&h)
	return h
}

// caring is a policy that says a, of what is of interest to it.
func caring(in policy.Interest, a policy.Answer) *custom {
	return &custom{says(a), func(h *policy.Hooks) { h.Interest = in }}
}

// with makes a chain of configured slots that is closed at the end of the test.
func with(t testing.TB, conf chain.Config, slots ...chain.Slot) *chain.Chain {
	t.Helper()
	conf.Clean, conf.Log = clean, cmp.Or(conf.Log, slog.New(slog.DiscardHandler))
	c, err := chain.New(conf, slots...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// of asks about an operation, on behalf of a session.
func of(session uint64, op policy.Op, path string) *policy.Action {
	q := action(op, path)
	q.Session.ID = session
	return q
}

// ask has a session ask about reading /p, under a lease of its own.
func ask(c *chain.Chain, session uint64) (policy.Grant, *policy.Denial) {
	l := c.Lease(session)
	defer l.Release()
	return l.Authorize(context.Background(), of(session, policy.OpRead, "/p"))
}

// label asks and returns the first label of the grant.
func label(t testing.TB, c *chain.Chain, session uint64) string {
	t.Helper()
	g, d := ask(c, session)
	if d != nil || len(g.Labels) == 0 {
		t.Fatalf("session %d: %v, %v", session, g, d)
	}
	return g.Labels[0]
}

// stage returns what a slot has counted at one stage.
func stage(t testing.TB, st chain.ModuleStatus, s policy.Stage) chain.StageStatus {
	t.Helper()
	for _, got := range st.Stages {
		if got.Stage == s {
			return got
		}
	}
	t.Fatalf("%s has no part in stage %v", st.Name, s)
	return chain.StageStatus{}
}
