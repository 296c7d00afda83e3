package chain

import (
	"context"
	"fmt"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// maxRewrites bounds how often one question's path may be replaced.
const maxRewrites = 4

// authorize folds the answers of the fs stage: the first Deny or Hide ends the
// question, paths are handed on as they are rewritten, limits narrow.
func (g *generation) authorize(ctx context.Context, q *policy.Action, clean func(string) (string, error)) (policy.Grant, *policy.Denial) {
	asked := *q
	grant := policy.Grant{Path: q.Path, Path2: q.Path2}
	rewrites := 0
	for _, st := range g.fs {
		st.calls.Add(1)
		asked.Path, asked.Path2 = grant.Path, grant.Path2
		a, err := st.hook.Authorize(ctx, &asked)
		if err != nil {
			return policy.Grant{}, st.fault(err)
		}
		switch a.Verdict {
		case policy.Pass, policy.Allow:
		case policy.Deny, policy.Hide:
			return policy.Grant{}, st.denies(a.Verdict == policy.Hide, a.Code, a.Text)
		case policy.Rewrite:
			if rewrites++; rewrites > maxRewrites {
				return policy.Grant{}, st.fault(fmt.Errorf("the path was rewritten more than %d times", maxRewrites))
			}
			if err := rewrite(&grant, a, clean); err != nil {
				return policy.Grant{}, st.fault(err)
			}
		default:
			return policy.Grant{}, st.fault(fmt.Errorf("verdict %d does not exist", a.Verdict))
		}
		grant.Limits = grant.Limits.Narrow(a.Limits)
		if a.Label != "" {
			grant.Labels = append(grant.Labels, a.Label)
		}
		if a.Final && a.Verdict != policy.Pass {
			break
		}
	}
	return grant, nil
}

func rewrite(g *policy.Grant, a policy.Answer, clean func(string) (string, error)) error {
	for _, p := range []struct {
		to   *string
		from string
	}{{&g.Path, a.Path}, {&g.Path2, a.Path2}} {
		if p.from == "" {
			continue
		}
		c, err := clean(p.from)
		if err != nil {
			return fmt.Errorf("rewritten path %q: %w", p.from, err)
		}
		*p.to = c
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
func (g *generation) authenticate(ctx context.Context, q *policy.Login) (Credential, *policy.Denial) {
	var c Credential
	for _, st := range g.auth {
		st.calls.Add(1)
		id, err := st.hook.Authenticate(ctx, q)
		if err != nil {
			return Credential{}, st.fault(err)
		}
		switch id.Verdict {
		case policy.Pass:
			continue
		case policy.Deny, policy.Hide:
			return Credential{}, st.denies(false, id.Code, id.Text)
		case policy.Allow:
		default:
			return Credential{}, st.fault(fmt.Errorf("verdict %v has no meaning for a login", id.Verdict))
		}
		if len(id.State) > policy.MaxState {
			return Credential{}, st.fault(fmt.Errorf("state of %d bytes, at most %d fit", len(id.State), policy.MaxState))
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
	if !id.Expires.IsZero() && (c.Expires.IsZero() || id.Expires.Before(c.Expires)) {
		c.Expires = id.Expires
	}
	c.Home = first(c.Home, id.Home)
	c.Group = first(c.Group, id.Group)
	c.Label = first(c.Label, id.Label)
	c.MsgLogin = first(c.MsgLogin, id.MsgLogin)
	c.MsgQuit = first(c.MsgQuit, id.MsgQuit)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// denies makes a policy's refusal. A code that refuses nothing is left out, so
// that no refusal can look like a success.
func (m *module) denies(hidden bool, code int, text string) *policy.Denial {
	m.denied.Add(1)
	if code < 400 || code > 599 {
		code = 0
	}
	return &policy.Denial{Policy: m.name, Generation: m.number, Hidden: hidden, Code: code, Text: text}
}

func (m *module) fault(err error) *policy.Denial {
	m.failed.Add(1)
	return &policy.Denial{Policy: m.name, Generation: m.number, Failed: true, Cause: err}
}
