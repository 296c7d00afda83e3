package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Hooks returns the stages whose hooks the module exports.
func (p *Policy) Hooks() policy.Hooks {
	var h policy.Hooks
	if p.module.hooks[abi.HookAuth] {
		h.Authenticator = authenticator{p}
	}
	if p.module.hooks[abi.HookFS] {
		h.Authorizer = authorizer{p}
	}
	if p.module.hooks[abi.HookEvent] {
		h.Observer = observer{p}
	}
	h.Interest, h.Tap = p.module.manifest.Interest, p.module.manifest.Tap
	return h
}

// One small type for each stage, so that a Policy does not look as if it took
// part in a stage that its module has no hook for.
type (
	authenticator struct{ p *Policy }
	authorizer    struct{ p *Policy }
	observer      struct{ p *Policy }
)

// Authenticate asks the hook auth. The guest is shown no password unless the host
// was told to.
func (a authenticator) Authenticate(ctx context.Context, login *policy.Login) (policy.Identity, error) {
	asked := *login
	if !a.p.caps.password {
		asked.Password = ""
	}
	return ask(ctx, a.p, abi.HookAuth, login.Time, &asked, abi.AppendLogin, abi.DecodeIdentity)
}

// Authorize asks the hook fs, or gives the answer that it allowed to be used again.
func (a authorizer) Authorize(ctx context.Context, action *policy.Action) (policy.Answer, error) {
	if kept, ok := a.p.cache.find(a.p.name, action); ok {
		return kept, nil
	}
	answer, err := ask(ctx, a.p, abi.HookFS, action.Time, action, abi.AppendAction, abi.DecodeAnswer)
	if err == nil && answer.TTL > 0 {
		a.p.cache.keep(a.p.name, action, answer)
	}
	return answer, err
}

// Observe tells the hook event.
func (o observer) Observe(ctx context.Context, event *policy.Event) error {
	_, err := ask(ctx, o.p, abi.HookEvent, event.Time, event, abi.AppendEvent, decodeDone)
	return err
}

func decodeDone(v abi.Verdict, reply []byte, strict bool) (struct{}, error) {
	return struct{}{}, abi.DecodeDone(v, reply, strict)
}

// ask is one call of a guest from the question to the answer: an instance, the
// record in its mailbox, its hook, the verdict and the reply, which lies in the
// guest's memory and is read before the instance is given back.
func ask[Q, A any](ctx context.Context, p *Policy, h abi.Hook, at time.Time, q Q,
	encode func([]byte, string, Q) ([]byte, error), decode func(abi.Verdict, []byte, bool) (A, error)) (answer A, err error) {
	in, waited, err := p.begin(ctx, h)
	if err != nil {
		return answer, err
	}
	answer, err = exchange(ctx, in, h, at, waited, q, encode, decode)
	p.end(in, err)
	return answer, err
}

func exchange[Q, A any](ctx context.Context, in *instance, h abi.Hook, at time.Time, waited time.Duration, q Q,
	encode func([]byte, string, Q) ([]byte, error), decode func(abi.Verdict, []byte, bool) (A, error)) (answer A, err error) {
	box, ok := in.mailbox()
	if !ok {
		return answer, in.fault(CauseBadOutput, h.String(), errors.New("the mailbox is outside the memory"))
	}
	rec, err := encode(box[:0:len(box)], in.policy.name, q)
	if err == nil && len(rec) > len(box) {
		err = fmt.Errorf("the question has %d bytes, the mailbox %d", len(rec), len(box))
	}
	if err != nil {
		return answer, in.fault(CauseQuestion, h.String(), err)
	}
	in.enter(ctx, h, early(q))
	raw, err := in.ask(h, len(rec), at, waited)
	if err != nil {
		return answer, err
	}
	v, reply, err := in.answer(raw)
	if err == nil {
		answer, err = decode(v, reply, in.policy.limits.Strict)
	}
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, abi.ErrFailed):
		return answer, in.fault(CauseFailed, h.String(), err)
	}
	return answer, in.fault(CauseBadOutput, h.String(), err)
}

// early reports whether a question is a login without a password yet.
func early(q any) bool {
	login, ok := q.(*policy.Login)
	return ok && login.Early
}
