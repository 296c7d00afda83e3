package chain

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// maxRewrites bounds how often one question's path may be replaced.
const maxRewrites = 4

// authorize folds the answers of the fs stage: the first Deny or Hide ends the
// question, paths are handed on as they are rewritten, limits narrow.
func (p *part) authorize(ctx context.Context, q *policy.Action, clean func(string) (string, error)) (policy.Grant, *policy.Denial) {
	grant := policy.Grant{Path: q.Path, Path2: q.Path2}
	if int(q.Op) >= numOps {
		return grant, nil
	}
	rewrites := maxRewrites
	for i := range p.fs[q.Op] {
		st := &p.fs[q.Op][i]
		if st.dormant() || !st.interest.wants(q.Session, q.Path, q.Path2) {
			continue
		}
		var a policy.Answer
		if err := st.ask(ctx, q, &a, rewrites, clean); err != nil {
			if d := st.fault(policy.StageFS, err); d != nil {
				return policy.Grant{}, d
			}
			continue
		}
		switch a.Verdict {
		case policy.Deny, policy.Hide:
			return policy.Grant{}, st.denies(a.Verdict == policy.Hide, a.Code, a.Text)
		case policy.Rewrite:
			rewrites--
			next := *q // the caller's own stays as it is
			next.Path, next.Path2 = first(a.Path, q.Path), first(a.Path2, q.Path2)
			grant.Path, grant.Path2, q = next.Path, next.Path2, &next
		}
		if a.Limits != (policy.Limits{}) {
			grant.Limits = grant.Limits.Narrow(a.Limits)
		}
		if a.Label != "" {
			grant.Labels = append(grant.Labels, a.Label)
		}
		if a.Final && a.Verdict != policy.Pass {
			break
		}
	}
	return grant, nil
}

// ask puts the question to one policy and fills in its answer, which is too large to
// be handed around. Rewritten paths come back canonical.
func (st *fsStage) ask(ctx context.Context, q *policy.Action, a *policy.Answer, rewrites int, clean func(string) (string, error)) error {
	c, err := st.begin(policy.StageFS)
	if err != nil {
		return err
	}
	*a, err = st.hook.Authorize(ctx, q)
	if err == nil && a.Verdict >= policy.Rewrite {
		err = settle(a, rewrites, clean)
	}
	st.end(ctx, policy.StageFS, c, q.Session.ID, a.Verdict, err)
	if sh := st.shadow.Load(); sh != nil {
		sh.authorize(q, *a, err)
	}
	return err
}

// settle checks an answer that is more than yes or no.
func settle(a *policy.Answer, rewrites int, clean func(string) (string, error)) error {
	switch {
	case a.Verdict == policy.Hide:
		return nil
	case a.Verdict != policy.Rewrite:
		return fmt.Errorf("verdict %d does not exist", a.Verdict)
	case rewrites == 0:
		return fmt.Errorf("the path was rewritten more than %d times", maxRewrites)
	}
	for _, p := range []*string{&a.Path, &a.Path2} {
		if *p == "" {
			continue
		}
		c, err := clean(*p)
		if err != nil {
			return fmt.Errorf("rewritten path %q: %w", *p, err)
		}
		*p = c
	}
	return nil
}

// Credential is the folded answer of the auth stage.
type Credential struct {
	policy.Identity
	// Hashes are the stored password hashes, each of which the password must
	// match before the login holds. Empty when the policies that allowed have
	// satisfied themselves.
	Hashes []string
	// State is what each policy wants to be shown again, by its slot's name.
	State map[string][]byte
	// By names the policies that allowed, in order, for events.
	By []string
}

// authenticate folds the answers of the auth stage. Only this stage grants: when
// nobody allows, the login is refused.
func (p *part) authenticate(ctx context.Context, q *policy.Login) (Credential, *policy.Denial) {
	var c Credential
	for _, st := range p.auth {
		id, err := st.ask(ctx, q)
		if err != nil {
			return Credential{}, st.fault(policy.StageAuth, err)
		}
		switch id.Verdict {
		case policy.Pass:
			continue
		case policy.Deny, policy.Hide:
			d := st.denies(false, id.Code, id.Text)
			d.Reason = id.Reason
			return Credential{}, d
		}
		if from := q.Session.Peer.Addr(); !id.From(from) {
			d := st.denies(false, 0, "")
			d.Reason = fmt.Sprintf("the user %q may not log in from %s: it is in %s", q.Session.User, from.Unmap().WithZone(""), barred(&id, from))
			return Credential{}, d
		}
		c.merge(st.name, id)
		if id.Final {
			break
		}
	}
	if len(c.By) == 0 {
		return Credential{}, &policy.Denial{}
	}
	return c, nil
}

// ask puts the question to one policy.
func (st authStage) ask(ctx context.Context, q *policy.Login) (policy.Identity, error) {
	c, err := st.begin(policy.StageAuth)
	if err != nil {
		return policy.Identity{}, err
	}
	id, err := st.hook.Authenticate(ctx, q)
	switch {
	case err != nil:
	case id.Verdict >= policy.Rewrite && id.Verdict != policy.Hide:
		err = fmt.Errorf("verdict %v has no meaning for a login", id.Verdict)
	case id.Verdict == policy.Allow && len(id.State) > policy.MaxState:
		err = fmt.Errorf("state of %d bytes, at most %d fit", len(id.State), policy.MaxState)
	}
	st.end(ctx, policy.StageAuth, c, q.Session.ID, id.Verdict, err)
	if sh := st.shadow.Load(); sh != nil {
		sh.authenticate(q, id, err)
	}
	return id, err
}

// merge narrows what was granted so far by one more policy's grant.
func (c *Credential) merge(name string, id policy.Identity) {
	if id.PasswordHash != "" {
		c.Hashes = append(c.Hashes, id.PasswordHash)
	}
	if id.State != nil {
		if c.State == nil {
			c.State = map[string][]byte{}
		}
		c.State[name] = id.State
	}
	if len(c.By) == 0 {
		c.Identity = id
	} else {
		c.narrow(id)
	}
	c.By = append(c.By, name)
}

// barred says which networks of a user's keep him from coming from an address.
func barred(id *policy.Identity, from netip.Addr) string {
	if denied := (policy.Identity{DenyNetworks: id.DenyNetworks}); !denied.From(from) {
		return "one of his denied networks"
	}
	return "none of his networks"
}

func (c *Credential) narrow(id policy.Identity) {
	switch {
	case c.Perms == nil:
		c.Perms = id.Perms
	case id.Perms != nil:
		both := *c.Perms & *id.Perms
		c.Perms = &both
	}
	c.Rules = append(c.Rules[:len(c.Rules):len(c.Rules)], id.Rules...)
	c.Limits = c.Limits.Narrow(id.Limits)
	c.Anonymous = c.Anonymous || id.Anonymous
	if id.MaxSessions > 0 && (c.MaxSessions == 0 || id.MaxSessions < c.MaxSessions) {
		c.MaxSessions = id.MaxSessions
	}
	c.Networks = common(c.Networks, id.Networks)
	c.DenyNetworks = append(c.DenyNetworks[:len(c.DenyNetworks):len(c.DenyNetworks)], id.DenyNetworks...)
	if !id.Expires.IsZero() && (c.Expires.IsZero() || id.Expires.Before(c.Expires)) {
		c.Expires = id.Expires
	}
	c.Home = first(c.Home, id.Home)
	c.Group = first(c.Group, id.Group)
	c.Label = first(c.Label, id.Label)
	c.MsgLogin = first(c.MsgLogin, id.MsgLogin)
	c.MsgQuit = first(c.MsgQuit, id.MsgQuit)
}

// common is what lies in some network of both; empty stands for all that there is.
func common(a, b []netip.Prefix) []netip.Prefix {
	if len(a) == 0 || len(b) == 0 {
		return append(a[:len(a):len(a)], b...)
	}
	var both []netip.Prefix
	for _, p := range a {
		for _, q := range b {
			switch {
			case !p.Overlaps(q):
			case p.Bits() >= q.Bits():
				both = append(both, p)
			default:
				both = append(both, q)
			}
		}
	}
	if both == nil { // nowhere
		both = []netip.Prefix{{}}
	}
	return both
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
