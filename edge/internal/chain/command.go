package chain

import (
	"context"
	"fmt"

	"github.com/edgeftp/edgeftp/edge/policy"
)

type commandStage struct {
	*module
	hook policy.Commander
}

// Command asks every commander whether a command may be carried out.
func (l Lease) Command(ctx context.Context, q *policy.Command) *policy.Denial {
	g, done := l.enter()
	if g == nil {
		return refusal()
	}
	defer done()
	return g.permit(ctx, q)
}

// permit folds the answers of the cmd stage: the first refusal ends the question.
func (g *generation) permit(ctx context.Context, q *policy.Command) *policy.Denial {
	for _, st := range g.command {
		st.calls.Add(1)
		a, err := st.hook.Command(ctx, q)
		if err != nil {
			return st.fault(err)
		}
		switch a.Verdict {
		case policy.Pass, policy.Allow:
		case policy.Deny, policy.Hide:
			return st.denies(false, a.Code, a.Text)
		default:
			return st.fault(fmt.Errorf("verdict %v has no meaning for a command", a.Verdict))
		}
	}
	return nil
}
