package pi

import (
	"context"
	"errors"
	"io/fs"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Question is what a handler asks before it does anything: an operation on a
// path, with the permission that the command's row names.
type Question struct {
	Op    policy.Op    // what is to be done
	Perm  policy.Perms // 0 needs none
	Path  vfs.Path     // what it is to be done to
	Path2 vfs.Path     // of a rename, or empty
	Text  string       // the command's argument as the client sent it
	A, B  int64        // by operation, as policy.Action has them
}

// Ask puts a question to the session's own permissions and then to the policies
// (RFC 2753 §2: here is the enforcement point). What may be done is what the
// Grant says, to the paths that it names. The error says that it may not, in the
// client's terms: give it to Fail.
func (s *Session) Ask(q Question) (policy.Grant, error) { return s.askAs(q, s.action(q)) }

// action makes the policies' form of a question.
func (s *Session) action(q Question) *policy.Action {
	a := &policy.Action{Meta: s.meta(), Op: q.Op, Path: string(q.Path), Path2: string(q.Path2), Arg: q.Text, A: q.A, B: q.B}
	if info, err := s.fs.Stat(q.Path); err == nil {
		a.Exists, a.Dir = true, info.IsDir()
	}
	return a
}

func (s *Session) askAs(q Question, a *policy.Action) (policy.Grant, error) {
	if !s.Perms(q.Path).Has(q.Perm) || q.Path2 != "" && !s.Perms(q.Path2).Has(q.Perm) {
		return policy.Grant{}, s.forbidden(a)
	}
	g, denial := s.lease.Authorize(context.Background(), a)
	if denial != nil {
		return policy.Grant{}, &refused{action: a, denial: denial}
	}
	own := s.rank.id.Limits
	own.RateDown, own.RateUp = 0, 0 // all transfers of the user share these: see limiter
	g.Limits = own.Narrow(g.Limits)
	return g, nil
}

// forbidden is what the session's own permissions do not allow.
func (s *Session) forbidden(a *policy.Action) error {
	return &refused{action: a, denial: &policy.Denial{Text: "You have no permission for that."}}
}

// Perms returns what the session may do at a path: the login's permissions, or
// those of the rule with the longest matching directory (the model's
// override_perm).
func (s *Session) Perms(p vfs.Path) policy.Perms {
	best, perms := -1, s.rank.perms
	for _, r := range s.rank.id.Rules {
		dir := vfs.Path(r.Dir)
		match := p == dir || p.Dir() == dir || r.Recursive && p.Within(dir)
		if match && len(dir) > best {
			best, perms = len(dir), r.Perms
		}
	}
	return perms
}

// owner returns under whose name interrupted uploads are kept; empty for nobody
// in particular.
func (s *Session) owner() string {
	if s.rank.id.Anonymous {
		return ""
	}
	return s.who.User
}

// partial describes what is kept of the user's interrupted upload to p.
func (s *Session) partial(p vfs.Path) (vfs.Info, error) {
	if parts, ok := s.fs.(vfs.Partials); ok && s.owner() != "" {
		return parts.Partial(s.owner(), p)
	}
	return vfs.Info{}, fs.ErrNotExist
}

// stat describes a path as this user sees it: an interrupted upload of the
// user's own counts where no file is.
func (s *Session) stat(p vfs.Path) (vfs.Info, error) {
	info, err := s.fs.Stat(p)
	if errors.Is(err, fs.ErrNotExist) {
		if part, perr := s.partial(p); perr == nil {
			return part, nil
		}
	}
	return info, err
}

// refused is a denial together with what was asked, so that it can be answered
// and reported.
type refused struct {
	action *policy.Action
	denial *policy.Denial
}

func (r *refused) Error() string { return r.denial.Error() }
func (r *refused) Unwrap() error { return r.denial }

// commitQuestion asks, from a helper goroutine, whether an upload may become
// visible. The action was made by the owner.
func commitQuestion(ctx context.Context, lease chain.Lease, a *policy.Action, size, ms int64) error {
	a.A, a.B = size, ms
	if _, denial := lease.Authorize(ctx, a); denial != nil {
		return &refused{action: a, denial: denial}
	}
	return nil
}
