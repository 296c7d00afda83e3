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
	g, done := l.enter()
	if g == nil {
		return policy.Bits{}, refusal()
	}
	defer done()
	return g.hide(ctx, q)
}

// hide folds the answers of the list stage: the first Deny or Hide ends the
// listing.
func (g *generation) hide(ctx context.Context, q *policy.Listing) (hidden policy.Bits, _ *policy.Denial) {
	for _, st := range g.list {
		v, err := st.ask(ctx, q)
		if err != nil {
			return hidden, st.fault(err)
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
	st.calls.Add(1)
	v, err := st.hook.List(ctx, q)
	if err == nil {
		err = meant(v.Verdict, policy.StageList)
	}
	return v, err
}
