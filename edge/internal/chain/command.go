package chain

import (
	"context"

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
		a, err := st.ask(ctx, q)
		if err != nil {
			return st.fault(err)
		}
		if a.Verdict == policy.Deny || a.Verdict == policy.Hide {
			return st.denies(false, a.Code, a.Text)
		}
	}
	return nil
}

// ask puts the question to one policy.
func (st commandStage) ask(ctx context.Context, q *policy.Command) (policy.Answer, error) {
	st.calls.Add(1)
	a, err := st.hook.Command(ctx, q)
	if err == nil {
		err = meant(a.Verdict, policy.StageCmd)
	}
	return a, err
}
