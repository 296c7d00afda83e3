package chain

import (
	"context"
	"fmt"
	"slices"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// full reports whether one more question would be dropped, and counts it.
func (s *shadow) full() bool {
	if len(s.queue) < cap(s.queue) {
		return false
	}
	s.drop()
	return true
}

func (s *shadow) drop() {
	s.mu.Lock()
	s.st.Dropped++
	s.mu.Unlock()
}

// offer queues a question, with a copy of its session that meta is pointed to.
func (s *shadow) offer(q *mirrored, meta *policy.Meta) {
	q.session = *meta.Session
	meta.Session, meta.Shadow = &q.session, true
	q.Time, q.User, q.Session, q.Request = meta.Time, q.session.User, q.session.ID, meta.Request
	select {
	case s.queue <- q:
	default:
		s.drop()
	}
}

// authorize offers a question of the fs stage.
func (s *shadow) authorize(q *policy.Action, a policy.Answer, err error) {
	if s.full() {
		return
	}
	own := *q
	s.offer(&mirrored{Difference: Difference{Stage: policy.StageFS, Op: q.Op, Path: q.Path, Main: answer(a, err)},
		ask: func(ctx context.Context) Outcome {
			if s.hooks.Authorizer == nil || !s.seen.ops[own.Op] || !s.seen.wants(own.Session, own.Path, own.Path2) {
				return Outcome{}
			}
			a, err := s.hooks.Authorizer.Authorize(ctx, &own)
			if err == nil && a.Verdict >= policy.Rewrite {
				err = settle(&a, 1, s.clean)
			}
			return answer(a, err)
		}}, &own.Meta)
}

// authenticate offers a login, without its password.
func (s *shadow) authenticate(q *policy.Login, id policy.Identity, err error) {
	if s.full() {
		return
	}
	own := *q
	own.Password = ""
	s.offer(&mirrored{Difference: Difference{Stage: policy.StageAuth, Main: login(id, err)},
		ask: func(ctx context.Context) Outcome {
			if s.hooks.Authenticator == nil {
				return Outcome{}
			}
			id, err := s.hooks.Authenticator.Authenticate(ctx, &own)
			return login(id, err)
		}}, &own.Meta)
}

func login(id policy.Identity, err error) Outcome {
	return answer(policy.Answer{Verdict: id.Verdict, Code: id.Code, Text: id.Text, Path: id.Home}, err)
}

// list offers entries of a directory.
func (s *shadow) list(q *policy.Listing, v policy.View, err error) {
	if s.full() {
		return
	}
	own := *q
	own.Entries = slices.Clone(q.Entries)
	s.offer(&mirrored{Difference: Difference{Stage: policy.StageList, Path: q.Path, Main: view(v, err)},
		ask: func(ctx context.Context) Outcome {
			if s.hooks.Lister == nil || !s.seen.wants(own.Session, own.Path, "") {
				return view(policy.View{}, nil)
			}
			v, err := s.hooks.Lister.List(ctx, &own)
			if err == nil {
				err = meant(v.Verdict, policy.StageList)
			}
			return view(v, err)
		}}, &own.Meta)
}

// view names what is hidden as a set of bits, so that two views can be compared.
func view(v policy.View, err error) Outcome {
	a := policy.Answer{Verdict: v.Verdict, Code: v.Code, Text: v.Text}
	if v.Hidden != (policy.Bits{}) {
		a.Path = fmt.Sprintf("hidden %x", v.Hidden)
	}
	return answer(a, err)
}

// command offers a command.
func (s *shadow) command(q *policy.Command, a policy.Answer, err error) {
	if s.full() {
		return
	}
	own := *q
	s.offer(&mirrored{Difference: Difference{Stage: policy.StageCmd, Path: q.Verb, Main: answer(a, err)},
		ask: func(ctx context.Context) Outcome {
			if s.hooks.Commander == nil || !s.seen.verb(own.Verb) || !s.seen.group(own.Session) {
				return Outcome{}
			}
			a, err := s.hooks.Commander.Command(ctx, &own)
			if err == nil {
				err = meant(a.Verdict, policy.StageCmd)
			}
			return answer(a, err)
		}}, &own.Meta)
}

// throttle offers a question about a transfer's rate.
func (s *shadow) throttle(q *policy.Transfer, r policy.Rate, err error) {
	if s.full() {
		return
	}
	own := *q
	s.offer(&mirrored{Difference: Difference{Stage: policy.StageThrottle, Op: q.Op, Path: q.Path, Main: limit(r, err)},
		ask: func(ctx context.Context) Outcome {
			if s.hooks.Throttler == nil || !s.seen.wants(own.Session, own.Path, "") {
				return limit(policy.Rate{}, nil)
			}
			r, err := s.hooks.Throttler.Throttle(ctx, &own)
			return limit(r, err)
		}}, &own.Meta)
}

// limit names a rate, so that two can be compared.
func limit(r policy.Rate, err error) Outcome {
	return answer(policy.Answer{Text: fmt.Sprintf("%d bytes/s for %v", r.Limit, r.TTL)}, err)
}
