package chain

import (
	"context"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

type throttleStage struct {
	*module
	hook policy.Throttler
}

const (
	leastTTL = 100 * time.Millisecond // of a rate
	retryTTL = time.Second            // until a policy that failed is asked again
)

// Throttle is what the policies say of one transfer's rate, as long as it runs. It
// is used by one goroutine.
type Throttle struct {
	lease Lease
	rates []rate // of the policies of the generation that was asked last
}

// rate is one policy's last answer.
type rate struct {
	*module
	limit int64
	until time.Time // when to ask again; zero never
	ttl   time.Duration
}

// Throttle begins to ask about a transfer's rate. It is nil where no policy wants to
// be asked, which limits nothing.
func (l Lease) Throttle() *Throttle {
	if l.gen == nil || len(l.mine().throttle) == 0 {
		return nil
	}
	return &Throttle{lease: l}
}

// Ask asks those policies whose last answer has expired and returns the lowest
// limit of all, in bytes per second, 0 for none, and when to ask again, zero for
// never. A policy that fails leaves its last answer in force.
func (t *Throttle) Ask(ctx context.Context, q *policy.Transfer) (limit int64, again time.Time) {
	if t == nil {
		return 0, time.Time{}
	}
	t.refresh(ctx, q)
	for i := range t.rates {
		r := &t.rates[i]
		if r.limit > 0 && (limit == 0 || r.limit < limit) {
			limit = r.limit
		}
		if !r.until.IsZero() && (again.IsZero() || r.until.Before(again)) {
			again = r.until
		}
	}
	return limit, again
}

// refresh brings the answers up to date.
func (t *Throttle) refresh(ctx context.Context, q *policy.Transfer) {
	g := t.lease.enter()
	if g == nil {
		return
	}
	defer t.lease.leave(g)
	t.ask(ctx, g.of(t.lease.host), q)
}

func (t *Throttle) ask(ctx context.Context, p *part, q *policy.Transfer) {
	before := t.rates
	t.rates = make([]rate, len(p.throttle))
	for i, st := range p.throttle {
		j := slices.IndexFunc(before, func(r rate) bool { return r.module == st.module })
		r := rate{module: st.module}
		if j >= 0 {
			r = before[j]
		}
		if j < 0 || !r.until.IsZero() && !q.Time.Before(r.until) {
			r.renew(ctx, st, q)
		}
		t.rates[i] = r
	}
}

// renew asks one policy.
func (r *rate) renew(ctx context.Context, st throttleStage, q *policy.Transfer) {
	a, err := st.ask(ctx, q)
	if err != nil {
		r.until = time.Now().Add(max(r.ttl, retryTTL))
		return
	}
	r.limit, r.ttl, r.until = max(0, a.Limit), 0, time.Time{}
	if a.TTL > 0 {
		r.ttl = max(a.TTL, leastTTL)
		r.until = time.Now().Add(r.ttl)
	}
}

// ask puts the question to one policy.
func (st throttleStage) ask(ctx context.Context, q *policy.Transfer) (policy.Rate, error) {
	if !st.interest.wants(q.Session, q.Path, "") {
		return policy.Rate{}, nil
	}
	c, err := st.begin(policy.StageThrottle)
	if err != nil {
		return policy.Rate{}, err
	}
	r, err := st.hook.Throttle(ctx, q)
	st.end(ctx, policy.StageThrottle, c, q.Session.ID, policy.Pass, err)
	if sh := st.shadow.Load(); sh != nil {
		sh.throttle(q, r, err)
	}
	return r, err
}
