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
	g := l.enter()
	if g == nil {
		return refusal()
	}
	defer l.leave(g)
	return g.of(l.host).permit(ctx, q)
}

// permit folds the answers of the cmd stage: the first refusal ends the question.
func (p *part) permit(ctx context.Context, q *policy.Command) *policy.Denial {
	for _, st := range p.command {
		if !st.interest.verb(q.Verb) || !st.interest.group(q.Session) {
			continue
		}
		a, err := st.ask(ctx, q)
		if err != nil {
			if d := st.fault(policy.StageCmd, err); d != nil {
				return d
			}
			continue
		}
		if a.Verdict == policy.Deny || a.Verdict == policy.Hide {
			return st.denies(false, a.Code, a.Text)
		}
	}
	return nil
}

// ask puts the question to one policy.
func (st commandStage) ask(ctx context.Context, q *policy.Command) (policy.Answer, error) {
	c, err := st.begin(policy.StageCmd)
	if err != nil {
		return policy.Answer{}, err
	}
	a, err := st.hook.Command(ctx, q)
	if err == nil {
		err = meant(a.Verdict, policy.StageCmd)
	}
	st.end(ctx, policy.StageCmd, c, q.Session.ID, a.Verdict, err)
	if sh := st.shadow.Load(); sh != nil {
		sh.command(q, a, err)
	}
	return a, err
}
