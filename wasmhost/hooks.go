package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// One small type for each stage, so that a Policy does not look as if it took
// part in a stage that its module has no hook for.
type (
	authenticator struct{ p *Policy }
	authorizer    struct{ p *Policy }
	observer      struct{ p *Policy }
)

// Authenticate asks the hook auth. The guest is shown no password unless the host
// was told to.
func (a authenticator) Authenticate(ctx context.Context, login *policy.Login) (id policy.Identity, err error) {
	in, left, err := a.p.begin(ctx, abi.HookAuth, a.p.limits.Auth)
	if err != nil {
		return policy.Identity{}, err
	}
	defer func() { a.p.end(in, err) }()
	in.enter(ctx, abi.HookAuth, login.Early)
	asked := *login
	if !a.p.caps.password {
		asked.Password = ""
	}
	rec, err := in.question(abi.HookAuth, func(box []byte) ([]byte, error) {
		return abi.AppendLogin(box, a.p.name, &asked)
	})
	if err != nil {
		return policy.Identity{}, err
	}
	v, reply, err := in.exchange(abi.HookAuth, rec, login.Time, left)
	if err != nil {
		return policy.Identity{}, err
	}
	id, err = abi.DecodeIdentity(v, reply, a.p.limits.Strict)
	return id, in.judge(abi.HookAuth, err)
}

// Authorize asks the hook fs.
func (a authorizer) Authorize(ctx context.Context, action *policy.Action) (ans policy.Answer, err error) {
	in, left, err := a.p.begin(ctx, abi.HookFS, a.p.limits.FS)
	if err != nil {
		return policy.Answer{}, err
	}
	defer func() { a.p.end(in, err) }()
	in.enter(ctx, abi.HookFS, false)
	rec, err := in.question(abi.HookFS, func(box []byte) ([]byte, error) {
		return abi.AppendAction(box, a.p.name, action)
	})
	if err != nil {
		return policy.Answer{}, err
	}
	v, reply, err := in.exchange(abi.HookFS, rec, action.Time, left)
	if err != nil {
		return policy.Answer{}, err
	}
	ans, err = abi.DecodeAnswer(v, reply, a.p.limits.Strict)
	return ans, in.judge(abi.HookFS, err)
}

// Observe tells the hook event.
func (o observer) Observe(ctx context.Context, event *policy.Event) (err error) {
	in, left, err := o.p.begin(ctx, abi.HookEvent, o.p.limits.Event)
	if err != nil {
		return err
	}
	defer func() { o.p.end(in, err) }()
	in.enter(ctx, abi.HookEvent, false)
	rec, err := in.question(abi.HookEvent, func(box []byte) ([]byte, error) {
		return abi.AppendEvent(box, o.p.name, event)
	})
	if err != nil {
		return err
	}
	v, reply, err := in.exchange(abi.HookEvent, rec, event.Time, left)
	if err != nil {
		return err
	}
	return in.judge(abi.HookEvent, abi.DecodeDone(v, reply, o.p.limits.Strict))
}

// question encodes straight into the mailbox and returns the record's length.
func (in *instance) question(h abi.Hook, encode func(box []byte) ([]byte, error)) (int, error) {
	box, ok := in.mailbox()
	if !ok {
		return 0, in.fault(CauseBadOutput, h.String(), errors.New("the mailbox is outside the memory"))
	}
	rec, err := encode(box[:0:len(box)])
	if err != nil {
		return 0, in.fault(CauseQuestion, h.String(), err)
	}
	if len(rec) > len(box) {
		return 0, in.fault(CauseQuestion, h.String(), fmt.Errorf("the question has %d bytes, the mailbox %d", len(rec), len(box)))
	}
	return len(rec), nil
}

// exchange calls a hook and reads its verdict. The reply is still in the guest's
// memory: decode it before the instance is given back.
func (in *instance) exchange(h abi.Hook, n int, at time.Time, limit time.Duration) (abi.Verdict, []byte, error) {
	raw, err := in.ask(h, n, at, limit)
	if err != nil {
		return abi.Verdict{}, nil, err
	}
	v, reply, err := in.answer(raw)
	return v, reply, in.judge(h, err)
}

// judge makes the error of an answer that was no answer.
func (in *instance) judge(h abi.Hook, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, abi.ErrFailed):
		return in.fault(CauseFailed, h.String(), err)
	}
	return in.fault(CauseBadOutput, h.String(), err)
}
