package pi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
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
	sized bool         // A is the path's size, -1 if it cannot be told
}

// Ask puts a question to the session's own permissions and then to the policies
// (RFC 2753 §2: here is the enforcement point). What may be done is what the
// Grant says, to the paths that it names. The error says that it may not, in the
// client's terms: give it to Fail. An operation that the command's row does not name
// (Spec.Ops) is a mistake of the program: it is refused, and the log says so.
func (s *Session) Ask(q Question) (g policy.Grant, err error) {
	g, _, err = s.judge(q)
	return g, err
}

// judge is Ask that also returns what the policies were told of the path, so that a
// handler which answers by just that need not look again, and the client is told what
// was judged. To look once more is three system calls (SIZE by 16 sessions: 1.4 us).
func (s *Session) judge(q Question) (g policy.Grant, at look, err error) {
	if err := s.row.lists(q.Op); err != nil {
		return g, at, err
	}
	if !s.Perms(q.Path).Has(q.Perm) || q.Path2 != "" && !s.Perms(q.Path2).Has(q.Perm) {
		return g, at, s.forbidden(s.action(q))
	}
	if s.lease.Authorizes(q.Op) {
		a := s.action(q)
		at = describe(s.files(), a)
		if q.sized {
			a.A = s.sizeAt(q.Path, at)
		}
		if g, err = s.row.authorize(s.asks(a), s.lease, a); err != nil {
			return g, at, err
		}
	} else { // of what the path is now nobody wants to know
		s.requests++
		g.Path, g.Path2 = string(q.Path), string(q.Path2)
	}
	own := s.rank.id.Limits
	own.RateDown, own.RateUp = 0, 0 // all transfers of the user share these: see limiter
	g.Limits = own.Narrow(g.Limits)
	return g, at, nil
}

// look is what a path was when its question was put; the zero value is of none.
type look struct {
	path vfs.Path
	info vfs.Info
}

// statAt is stat of a path that at may be of.
func (s *Session) statAt(p vfs.Path, at look) (vfs.Info, error) {
	if at.path != "" && at.path == p {
		return at.info, nil
	}
	return s.stat(p)
}

// sizeAt is the size of a path that at may be of, -1 where it cannot be told.
func (s *Session) sizeAt(p vfs.Path, at look) int64 {
	info, err := s.statAt(p, at)
	if err != nil {
		return -1
	}
	return info.Size
}

// action makes the policies' form of a question, but for what its path is now.
func (s *Session) action(q Question) *policy.Action {
	return &policy.Action{Meta: s.meta(), Op: q.Op, Path: string(q.Path), Path2: string(q.Path2), Arg: q.Text, A: q.A, B: q.B, DataPeer: s.target()}
}

// describe says what an action's path is now, to the action and to the caller.
func describe(fsys nvfs, a *policy.Action) look {
	a.Exists, a.Dir, a.Size = false, false, 0
	info, err := fsys.Stat(vfs.Path(a.Path))
	if err != nil {
		return look{}
	}
	a.Exists, a.Dir = true, info.IsDir()
	if info.Mode.IsRegular() {
		a.Size = info.Size
	}
	return look{vfs.Path(a.Path), info}
}

// lists says what is wrong with a question of the row's handler; nil is nothing. A nil
// row is that of no command.
func (r *Spec) lists(op policy.Op) error {
	switch {
	case r == nil:
		return fmt.Errorf("the operation %q was asked about outside of a command", op)
	case !r.Ops.Has(op):
		return fmt.Errorf("the row of %s does not name the operation %q (Spec.Ops)", r.Verb, op)
	}
	return nil
}

// authorize is the only way to the policies with a question about an operation, for
// the session's owner and for the helper goroutine of a command alike.
func (r *Spec) authorize(ctx context.Context, lease chain.Lease, a *policy.Action) (policy.Grant, error) {
	if err := r.lists(a.Op); err != nil {
		return policy.Grant{}, err
	}
	g, denial := lease.Authorize(ctx, a)
	if denial != nil {
		return policy.Grant{}, &refused{action: a, denial: denial}
	}
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
	return s.conf.person(s.who.User)
}

// partial describes what is kept of the user's interrupted upload to p.
func (s *Session) partial(p vfs.Path) (vfs.Info, error) {
	return s.files().Partial(s.owner(), p)
}

// stat describes a path as this user sees it: an interrupted upload of the
// user's own counts where no file is.
func (s *Session) stat(p vfs.Path) (vfs.Info, error) {
	return statAs(s.files(), s.owner(), p)
}

// statAs is stat for whoever owns interrupted uploads under that name.
func statAs(fsys nvfs, owner string, p vfs.Path) (vfs.Info, error) {
	info, err := fsys.Stat(p)
	if errors.Is(err, fs.ErrNotExist) {
		// Where the host cannot tell, "no such file" would make the client send all of
		// it again, behind what is kept.
		if part, perr := fsys.Partial(owner, p); !errors.Is(perr, fs.ErrNotExist) {
			return part, perr
		}
	}
	return info, err
}

// refused is a denial together with what was asked, so that it can be answered
// and reported.
type refused struct {
	action *policy.Action // its Op is 0 for a question that is not about an operation
	denial *policy.Denial
	stage  policy.Stage // 0 is StageFS
	// command is what was to be carried out, at the stages of commands.
	command string
	code    wire.Code // of a refusal that names none, 0 for 550
	lines   []string  // for the client, where the denial's text alone does not do
}

// ErrRefused is the Cause of a reply that a permission or a policy has brought about, unless
// that is to look as if nothing were there (fs.ErrNotExist).
var ErrRefused = errors.New("it was refused")

// ErrNoPermission is a Cause as well where no policy has refused it: the login has not the
// permission, which that of somebody else may have.
var ErrNoPermission = errors.New("the login has not the permission")

// Is says which of them a refusal is, and whether it has ended a transfer that ran.
func (r *refused) Is(target error) bool {
	d := r.denial
	if d.Hidden {
		return target == fs.ErrNotExist
	}
	return target == ErrRefused || target == ErrNoPermission && d.Policy == "" && !d.Failed || target == dtp.ErrForbidden && r.stage == policy.StageData
}

// As finds the limit of a client whose command a policy does not take now, as it may another
// time (RFC 959 §4.2.1: 4yz).
func (r *refused) As(target any) bool {
	l, ok := target.(*Limit)
	code := r.denial.Code
	if ok = ok && r.stage == policy.StageCmd && code >= 400 && code < 500 && !r.denial.Failed; ok {
		*l = LimitRate
	}
	return ok
}

// Error does not lead to what made a policy fail: an error of a file, of which it
// might consist, is not the file's that the client has asked for.
func (r *refused) Error() string { return r.denial.Error() }

// commit is the question whether an upload may become visible.
type commit struct {
	row    *Spec          // of the command
	action *policy.Action // with the number of the upload's own question
	lease  chain.Lease
	view   *services
}

// commit prepares the question. Of number, the upload's first question had it too.
func (s *Session) commit(p vfs.Path, number uint64) commit {
	a := &policy.Action{Meta: policy.Meta{Session: s.shown(), Request: number}, Op: policy.OpCommit, Path: string(p)}
	return commit{row: s.row, action: a, lease: s.lease, view: s.services(a)}
}

// ask puts it, from a helper goroutine, about bytes that have come from somewhere.
func (c *commit) ask(ctx context.Context, stage vfs.Stage, ms int64, from netip.AddrPort) error {
	a := c.action
	if !c.lease.Authorizes(a.Op) {
		return c.row.lists(a.Op)
	}
	a.Time, a.A, a.B, a.DataPeer = time.Now(), stage.Size(), ms, from
	if c.view.fs.FS != nil {
		describe(c.view.fs, a)
	}
	c.view.staged, _ = stage.(io.ReaderAt)
	c.view.size = a.A
	_, err := c.row.authorize(policy.WithServices(ctx, c.view), c.lease, a)
	return err
}
