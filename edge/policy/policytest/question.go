package policytest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// question is a question of one of the stages auth, fs, cmd, site and event.
type question struct {
	login   *policy.Login
	action  *policy.Action
	command *policy.Command
	site    *policy.SiteCall
	event   *policy.Event
}

func (q question) name() string {
	switch {
	case q.login != nil && q.login.Early:
		return fmt.Sprintf("early login of %.20q", q.login.Session.User)
	case q.login != nil:
		return fmt.Sprintf("login of %.20q", q.login.Session.User)
	case q.action != nil && q.action.Path2 != "":
		return fmt.Sprintf("%s of %.20q and %.20q", q.action.Op, q.action.Path, q.action.Path2)
	case q.action != nil:
		return fmt.Sprintf("%s of %.20q", q.action.Op, q.action.Path)
	case q.command != nil:
		return fmt.Sprintf("command %.20q", q.command.Verb)
	case q.site != nil:
		return fmt.Sprintf("call of SITE %.20q", q.site.Verb)
	}
	return "event " + q.event.Kind.String()
}

// takes reports whether a policy with these stages is asked such a question.
func (q question) takes(h policy.Hooks) bool {
	switch {
	case q.login != nil:
		return h.Authenticator != nil
	case q.action != nil:
		return h.Authorizer != nil
	case q.command != nil:
		return h.Commander != nil
	case q.site != nil:
		return h.Site != nil
	}
	return h.Observer != nil
}

func (q question) meta() *policy.Meta {
	switch {
	case q.login != nil:
		return &q.login.Meta
	case q.action != nil:
		return &q.action.Meta
	case q.command != nil:
		return &q.command.Meta
	case q.site != nil:
		return &q.site.Meta
	}
	return &q.event.Meta
}

// clone returns a question that shares nothing with q.
func (q question) clone() question {
	var c question
	switch {
	case q.login != nil:
		login := *q.login
		login.Binding = slices.Clone(login.Binding)
		c.login = &login
	case q.action != nil:
		action := *q.action
		c.action = &action
	case q.command != nil:
		command := *q.command
		c.command = &command
	case q.site != nil:
		site := *q.site
		c.site = &site
	default:
		event := *q.event
		c.event = &event
	}
	if m := c.meta(); m.Session != nil {
		session := *m.Session
		session.State = maps.Clone(session.State)
		for name, state := range session.State {
			session.State[name] = slices.Clone(state)
		}
		m.Session = &session
	}
	return c
}

func (q question) equal(other question) bool { return reflect.DeepEqual(q, other) }

// reply is what has become of a question.
type reply struct {
	identity policy.Identity
	answer   policy.Answer // also to a command
	site     policy.SiteReply
	err      error
	panicked string // with the stack, empty if it did not
}

// verdict is what the reply to q says, Pass where there is none.
func (r reply) verdict(q question) policy.Verdict {
	switch {
	case q.login != nil:
		return r.identity.Verdict
	case q.site != nil:
		return r.site.Verdict
	}
	return r.answer.Verdict
}

// begin asks a question.
func begin(ctx context.Context, h policy.Hooks, q question) <-chan reply {
	return start(func(r *reply) { r.put(ctx, h, q) })
}

// put asks a question and takes what comes back.
func (r *reply) put(ctx context.Context, h policy.Hooks, q question) {
	switch {
	case q.login != nil:
		r.identity, r.err = h.Authenticator.Authenticate(ctx, q.login)
	case q.action != nil:
		r.answer, r.err = h.Authorizer.Authorize(ctx, q.action)
	case q.command != nil:
		r.answer, r.err = h.Commander.Command(ctx, q.command)
	case q.site != nil:
		r.site, r.err = h.Site.CallSite(ctx, q.site)
	default:
		r.err = h.Observer.Observe(ctx, q.event)
	}
}

// start does something in a goroutine of its own and hands over how it ended.
func start(do func(*reply)) <-chan reply {
	done := make(chan reply, 1)
	go func() { done <- catch(do) }()
	return done
}

// catch does something that may panic.
func catch(do func(*reply)) (r reply) {
	defer func() {
		if p := recover(); p != nil {
			r.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	do(&r)
	return r
}
