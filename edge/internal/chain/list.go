package chain

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
)

type listStage struct {
	*module
	hook policy.Lister
}

// List asks every lister about some entries of one directory and folds the answers:
// what any of them hides is hidden.
func (l Lease) List(ctx context.Context, q *policy.Listing) (policy.Bits, *policy.Denial) {
	g := l.enter()
	if g == nil {
		return policy.Bits{}, refusal()
	}
	defer l.leave(g)
	return g.of(l.host).hide(ctx, q)
}

// hide folds the answers of the list stage: the first Deny or Hide ends the
// listing.
func (p *part) hide(ctx context.Context, q *policy.Listing) (hidden policy.Bits, _ *policy.Denial) {
	for _, st := range p.list {
		if !st.interest.wants(q.Session, q.Path, "") {
			continue
		}
		v, err := st.ask(ctx, q)
		if err != nil {
			if d := st.fault(policy.StageList, err); d != nil {
				return hidden, d
			}
			continue
		}
		if v.Verdict == policy.Deny || v.Verdict == policy.Hide {
			return hidden, st.denies(v.Verdict == policy.Hide, v.Code, v.Text)
		}
		hidden.Union(&v.Hidden)
	}
	return hidden, nil
}

// ask puts the question to one policy.
func (st listStage) ask(ctx context.Context, q *policy.Listing) (policy.View, error) {
	c, err := st.begin(policy.StageList)
	if err != nil {
		return policy.View{}, err
	}
	v, err := st.hook.List(ctx, q)
	if err == nil {
		err = meant(v.Verdict, policy.StageList)
	}
	st.end(ctx, policy.StageList, c, q.Session.ID, v.Verdict, err)
	if sh := st.shadow.Load(); sh != nil {
		sh.list(q, v, err)
	}
	return v, err
}
