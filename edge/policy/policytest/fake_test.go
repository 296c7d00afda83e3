package policytest

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// fake is a policy of all stages whose parts a test may replace. The zero value
// keeps every rule.
type fake struct {
	named  func() string
	hooked func(*fake) policy.Hooks
	auth   func(context.Context, *policy.Login) (policy.Identity, error)
	fs     func(context.Context, *policy.Action) (policy.Answer, error)
	cmd    func(*policy.Command) (policy.Answer, error)
	site   func(*policy.SiteCall) (policy.SiteReply, error)
	event  func(context.Context, *policy.Event) error
	closed func() error
}

func (f *fake) Name() string {
	if f.named != nil {
		return f.named()
	}
	return "fake"
}

func (f *fake) Hooks() policy.Hooks {
	if f.hooked != nil {
		return f.hooked(f)
	}
	return policy.Hooks{Authenticator: f, Authorizer: f, Commander: f, Site: f, Observer: f}
}

func (f *fake) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	if f.auth != nil {
		return f.auth(ctx, l)
	}
	return policy.Identity{}, nil
}

func (f *fake) Authorize(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	if f.fs != nil {
		return f.fs(ctx, a)
	}
	return policy.Answer{}, nil
}

func (f *fake) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	if f.cmd != nil {
		return f.cmd(c)
	}
	return policy.Answer{}, nil
}

func (f *fake) SiteCommands() []policy.SiteCommand {
	return []policy.SiteCommand{{Verb: "FAKE", Help: "Do nothing."}}
}

func (f *fake) CallSite(_ context.Context, c *policy.SiteCall) (policy.SiteReply, error) {
	if f.site != nil {
		return f.site(c)
	}
	return policy.SiteReply{}, nil
}

func (f *fake) Observe(ctx context.Context, e *policy.Event) error {
	if f.event != nil {
		return f.event(ctx, e)
	}
	return nil
}

func (f *fake) Close() error {
	if f.closed != nil {
		return f.closed()
	}
	return nil
}

// allows answers every login with one identity, says every operation with one
// answer.
func allows(id policy.Identity) *fake {
	return &fake{auth: func(context.Context, *policy.Login) (policy.Identity, error) { return id, nil }}
}

func says(a policy.Answer) *fake {
	return &fake{fs: func(context.Context, *policy.Action) (policy.Answer, error) { return a, nil }}
}
