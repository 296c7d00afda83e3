package chain

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
)

type certStage struct {
	*module
	hook policy.Certifier
}

// Certify asks every certifier whether a name may get a certificate on demand. A
// nil Denial grants it.
func (l Lease) Certify(ctx context.Context, q *policy.CertRequest) *policy.Denial {
	g := l.enter()
	if g == nil {
		return refusal()
	}
	defer l.leave(g)
	return g.of(l.host).certify(ctx, q)
}

// certify folds the answers of the cert stage. As with a login only Allow grants:
// when nobody allows, the name is refused.
func (p *part) certify(ctx context.Context, q *policy.CertRequest) *policy.Denial {
	granted := false
	for _, st := range p.cert {
		a, err := st.ask(ctx, q)
		if err != nil {
			return st.fault(policy.StageCert, err)
		}
		if a.Verdict == policy.Deny || a.Verdict == policy.Hide {
			return st.denies(false, 0, a.Text)
		}
		granted = granted || a.Verdict == policy.Allow
	}
	if !granted {
		return &policy.Denial{}
	}
	return nil
}

// ask puts the question to one policy.
func (st certStage) ask(ctx context.Context, q *policy.CertRequest) (policy.Answer, error) {
	c, err := st.begin(policy.StageCert)
	if err != nil {
		return policy.Answer{}, err
	}
	a, err := st.hook.Certify(ctx, q)
	if err == nil {
		err = meant(a.Verdict, policy.StageCert)
	}
	st.end(ctx, policy.StageCert, c, q.Session.ID, a.Verdict, err)
	return a, err
}
