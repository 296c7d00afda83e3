package policytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// badPolicy breaks a rule. It must fail at these checks, in their order, and the
// other process must write what it says.
type badPolicy struct {
	name  string
	make  func() policy.Policy
	fails []string
	says  string
	cases []Case
	slow  bool // it keeps the checks waiting
}

func (b badPolicy) limit() time.Duration {
	if b.slow {
		return 500 * time.Millisecond
	}
	return patience
}

// asking are the checks that ask the usual questions, everywhere those that ask
// anything.
func asking() []string {
	return []string{"questions", "name", "stages", "old state", "concurrent use", "context ended before", "context ends meanwhile"}
}

func everywhere() []string { return slices.Insert(asking(), 3, "zero questions") }

func all() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.name)
	}
	return names
}

func bad() []badPolicy {
	list := slices.Concat(badForms(), badQuestions(), badTimes(), badCases())
	for i, c := range badIdentities() {
		list = append(list, badPolicy{name: "identity " + strconv.Itoa(i), make: func() policy.Policy { return allows(c.id) }, fails: everywhere(), says: c.says})
	}
	for i, c := range badCommands() {
		list = append(list, badPolicy{name: "command " + strconv.Itoa(i), make: func() policy.Policy { return &c.fake }, fails: everywhere(), says: c.says})
	}
	for i, c := range badAnswers() {
		list = append(list, badPolicy{name: "answer " + strconv.Itoa(i), make: func() policy.Policy { return says(c.answer) }, fails: everywhere(), says: c.says})
	}
	return list
}

func badForms() []badPolicy {
	return []badPolicy{
		{name: "nothing", make: func() policy.Policy { return nil }, fails: all(), says: "there is no policy"},
		{name: "nameless", make: func() policy.Policy { return &fake{named: func() string { return "" }} },
			fails: []string{"name"}, says: "the name is empty"},
		{name: "two lines", make: func() policy.Policy { return &fake{named: func() string { return "a\nb" }} },
			fails: []string{"name"}, says: `the name is more than one line: "a\nb"`},
		{name: "renamed", make: func() policy.Policy {
			var n atomic.Int64
			return &fake{named: func() string { return fmt.Sprint("p", n.Add(1)) }}
		}, fails: []string{"name"}, says: `the name was "p1" and is "p2"`},
		{name: "no stage", make: func() policy.Policy {
			return &fake{hooked: func(*fake) policy.Hooks { return policy.Hooks{} }}
		}, fails: []string{"stages"}, says: "takes part in no stage"},
		{name: "a stage goes", make: func() policy.Policy {
			var n atomic.Int64
			return &fake{hooked: func(f *fake) policy.Hooks {
				if n.Add(1) > 1 {
					return policy.Hooks{Authorizer: f}
				}
				return policy.Hooks{Authorizer: f, Observer: f}
			}}
		}, fails: []string{"stages"}, says: "the stages were event, fs and are fs"},
		{name: "Close fails", make: func() policy.Policy { return &fake{closed: func() error { return errors.New("still open") }} },
			fails: all(), says: "Close: still open"},
		{name: "Close panics", make: func() policy.Policy { return &fake{closed: func() error { panic("no Close") }} },
			fails: all(), says: "Close: panic: no Close"},
		{name: "Close hangs", slow: true, make: func() policy.Policy { return &fake{closed: func() error { select {} }} },
			fails: all(), says: "Close: no answer after 500ms"},
	}
}

func badQuestions() []badPolicy {
	asks := func(f func(*policy.Login) error) func() policy.Policy {
		return func() policy.Policy {
			return &fake{auth: func(_ context.Context, l *policy.Login) (policy.Identity, error) { return policy.Identity{}, f(l) }}
		}
	}
	list := []badPolicy{
		{name: "panics at nothing", make: asks(func(l *policy.Login) error { return errors.New(l.Session.User[:1]) }),
			fails: everywhere(), says: "panic: runtime error: slice bounds out of range"},
		{name: "panics at a later operation", make: func() policy.Policy {
			return &fake{fs: func(_ context.Context, a *policy.Action) (policy.Answer, error) {
				return policy.Answer{Label: [policy.OpSymlink + 1]string{}[a.Op]}, nil
			}}
		}, fails: asking(), says: "panic: runtime error: index out of range [60000]"},
		{name: "changes the login", make: asks(func(l *policy.Login) error { l.Password = ""; return nil }), fails: asking(), says: `login of "anna": the question was changed`},
		{name: "changes the binding", make: asks(func(l *policy.Login) error { clear(l.Binding); return nil }), fails: asking(), says: `login of "anna": the question was changed`},
		{name: "changes the session", make: asks(func(l *policy.Login) error { l.Session.Group = "x"; return nil }), fails: everywhere(), says: "the question was changed"},
		{name: "changes the state", make: asks(func(l *policy.Login) error { delete(l.Session.State, "another policy"); return nil }),
			fails: slices.DeleteFunc(asking(), func(s string) bool { return s == "old state" }), says: "the question was changed"},
		{name: "changes the action", make: func() policy.Policy {
			return &fake{fs: func(_ context.Context, a *policy.Action) (policy.Answer, error) {
				a.Path = "/"
				return policy.Answer{}, nil
			}}
		}, fails: everywhere(), says: `stat of "/dir/file.txt": the question was changed`},
		{name: "changes the event", make: func() policy.Policy {
			return &fake{event: func(_ context.Context, e *policy.Event) error { e.Text = "x"; return nil }}
		}, fails: everywhere(), says: "event connect: the question was changed"},
		{name: "tells the secret", make: asks(func(l *policy.Login) error { return errors.New("wrong password " + l.Password) }), fails: asking(), says: "the error gives the password away"},
		{name: "greets with the secret", make: func() policy.Policy {
			return &fake{auth: func(_ context.Context, l *policy.Login) (policy.Identity, error) {
				return policy.Identity{Verdict: policy.Allow, MsgLogin: l.Password}, nil
			}}
		}, fails: asking(), says: "MsgLogin gives the password away"},
		{name: "logs the binding", make: asks(func(l *policy.Login) error { return fmt.Errorf("bound to %x", l.Binding) }), fails: asking(), says: "the error gives the binding away"},
		{name: "greets with the binding", make: func() policy.Policy {
			return &fake{auth: func(_ context.Context, l *policy.Login) (policy.Identity, error) {
				return policy.Identity{Verdict: policy.Allow, Label: string(l.Binding)}, nil
			}}
		}, fails: asking(), says: "Label gives the binding away"},
	}
	if !raceDetector {
		return list
	}
	return append(list, badPolicy{name: "not for concurrent use", make: func() policy.Policy {
		n := 0
		return &fake{event: func(context.Context, *policy.Event) error { n++; return nil }}
	}, fails: []string{"concurrent use"}, says: "race detected during execution of test"})
}

func badTimes() []badPolicy {
	event := func(f func(context.Context) error) func() policy.Policy {
		return func() policy.Policy {
			return &fake{event: func(ctx context.Context, _ *policy.Event) error { return f(ctx) }}
		}
	}
	return []badPolicy{
		{name: "hangs", slow: true, make: event(func(context.Context) error { select {} }),
			fails: everywhere(), says: "event connect when the context has ended: no answer after 500ms"},
		{name: "hangs when the context has ended", slow: true, make: event(func(ctx context.Context) error {
			if ctx.Err() != nil {
				select {}
			}
			return nil
		}), fails: []string{"context ended before"}, says: "event connect when the context has ended: no answer after 500ms"},
		{name: "hangs in one question", slow: true, make: func() policy.Policy {
			return &fake{fs: func(ctx context.Context, a *policy.Action) (policy.Answer, error) {
				if a.Path == "/slow" {
					select {}
				}
				return policy.Answer{}, nil
			}}
		}, cases: []Case{{Action: &policy.Action{Op: policy.OpRead, Path: "/slow"}}},
			fails: append(asking(), `case read of "/slow"`), says: `read of "/slow" when the context ended: no answer after 530ms`},
		{name: "remembers an ended context", make: func() policy.Policy {
			var ended atomic.Pointer[error]
			return &fake{event: func(ctx context.Context, _ *policy.Event) error {
				if err := ctx.Err(); err != nil {
					ended.Store(&err)
				}
				if err := ended.Load(); err != nil {
					return *err
				}
				return nil
			}}
		}, fails: []string{"context ended before"}, says: "fails by the context of the last"},
	}
}

func badCases() []badPolicy {
	good := func() policy.Policy { return says(policy.Answer{Verdict: policy.Hide}) }
	login, read, event := &policy.Login{}, &policy.Action{Op: policy.OpRead, Path: "/a"}, &policy.Event{Kind: policy.EventLogin}
	fails := []string{`case read of "/a"`}
	return []badPolicy{
		{name: "another verdict", make: good, cases: []Case{{Action: read, Want: policy.Deny}}, fails: fails, says: "it says hide, want deny"},
		{name: "no verdict", make: good, cases: []Case{{Action: read}}, fails: fails, says: "it says hide, want pass"},
		{name: "no error", make: good, cases: []Case{{Action: read, Fails: true}}, fails: fails, says: "it says hide, want an error"},
		{name: "an error and a verdict", make: good, cases: []Case{{Action: read, Fails: true, Want: policy.Hide}}, fails: fails, says: "the case wants hide where there is no verdict"},
		{name: "let in", make: good, cases: []Case{{Name: "of nobody", Login: login, Want: policy.Allow}}, fails: []string{"case of nobody"}, says: "it says pass, want allow"},
		{name: "an event has no verdict", make: good, cases: []Case{{Event: event, Want: policy.Allow}}, fails: []string{"case event login"}, says: "the case wants allow where there is no verdict"},
		{name: "an event that is not lost", make: good, cases: []Case{{Event: event, Fails: true}}, fails: []string{"case event login"}, says: "it says pass, want an error"},
		{name: "nothing asked", make: good, cases: []Case{{}}, fails: []string{"case"}, says: "a case has one of Login, Action, Command, Site and Event"},
		{name: "two asked", make: good, cases: []Case{{Name: "two", Login: login, Action: read}}, fails: []string{"case two"}, says: "a case has one of Login, Action, Command, Site and Event"},
		{name: "an error", make: func() policy.Policy {
			return &fake{fs: func(context.Context, *policy.Action) (policy.Answer, error) {
				return policy.Answer{}, errors.New("no table")
			}}
		}, cases: []Case{{Action: read, Want: policy.Allow}}, fails: fails, says: "it fails (no table), want allow"},
		{name: "another stage", make: func() policy.Policy {
			return &fake{hooked: func(f *fake) policy.Hooks { return policy.Hooks{Observer: f} }}
		}, cases: []Case{{Action: read}}, fails: fails, says: "the policy is not asked: it takes part in event"},
	}
}

// badIdentity and badAnswer break a rule of answers.
type (
	badIdentity struct {
		id   policy.Identity
		says string
	}
	badAnswer struct {
		answer policy.Answer
		says   string
	}
)

func badIdentities() []badIdentity {
	more := policy.PermAll + 1
	allow := func(f func(*policy.Identity)) policy.Identity {
		id := policy.Identity{Verdict: policy.Allow}
		f(&id)
		return id
	}
	return []badIdentity{
		{policy.Identity{Verdict: policy.Rewrite}, "a login is answered with verdict 3 (rewrite)"},
		{policy.Identity{Verdict: policy.Hide}, "a login is answered with verdict 4 (hide)"},
		{policy.Identity{Verdict: 9}, "a login is answered with verdict 9 (invalid)"},
		{policy.Identity{Verdict: policy.Deny, Code: 230}, "Code 230 is no refusal"},
		{policy.Identity{Code: 530}, "Code 530 stands beside pass"},
		{policy.Identity{Verdict: policy.Deny, PasswordHash: "$2a$10$abc"}, "PasswordHash stands beside deny"},
		{policy.Identity{Verdict: policy.Deny, Text: "a\r\nb"}, `Text is more than one line: "a\r\nb"`},
		{allow(func(id *policy.Identity) { id.Group = "a\x00" }), `Group holds control characters, or is not UTF-8: "a\x00"`},
		{allow(func(id *policy.Identity) { id.Label = "\xff" }), `Label holds control characters, or is not UTF-8: "\xff"`},
		{allow(func(id *policy.Identity) { id.MsgLogin = "a\r\nb" }), `MsgLogin holds control characters, or is not UTF-8: "a\r\nb"`},
		{allow(func(id *policy.Identity) { id.MsgQuit = "\x1b[31m" }), "MsgQuit holds control characters"},
		{allow(func(id *policy.Identity) { id.Home = "in" }), `Home is no absolute virtual path: "in"`},
		{allow(func(id *policy.Identity) { id.Perms = &more }), "Perms has permissions that do not exist: 0x400"},
		{allow(func(id *policy.Identity) { id.Rules = []policy.PathRule{{Dir: "/"}, {}} }), "Rules[1] has no directory"},
		{allow(func(id *policy.Identity) { id.Rules = []policy.PathRule{{Dir: "a"}} }), `Rules[0] is no absolute virtual path: "a"`},
		{allow(func(id *policy.Identity) { id.Rules = []policy.PathRule{{Dir: "/", Perms: more}} }), "Rules[0] has permissions that do not exist"},
		{allow(func(id *policy.Identity) { id.Limits.RateUp = -1 }), "Limits are below zero"},
		{allow(func(id *policy.Identity) { id.MaxSessions = -1 }), "MaxSessions is -1"},
		{allow(func(id *policy.Identity) { id.State = make([]byte, policy.MaxState+1) }), "State has 1025 bytes, at most 1024 are kept"},
	}
}

func badAnswers() []badAnswer {
	return []badAnswer{
		{policy.Answer{Verdict: 5}, "verdict 5 does not exist"},
		{policy.Answer{Verdict: policy.Deny, Code: 399}, "Code 399 is no refusal: 400 to 599 are"},
		{policy.Answer{Verdict: policy.Deny, Code: 600}, "Code 600 is no refusal"},
		{policy.Answer{Verdict: policy.Hide, Code: 550}, "Code 550 stands beside hide"},
		{policy.Answer{Verdict: policy.Deny, Text: "a\nb"}, `Text is more than one line: "a\nb"`},
		{policy.Answer{Label: "a\nb"}, `Label is more than one line: "a\nb"`},
		{policy.Answer{Verdict: policy.Rewrite}, `rewrite with the paths "" and ""`},
		{policy.Answer{Verdict: policy.Allow, Path: "/a"}, `allow with the paths "/a" and ""`},
		{policy.Answer{Verdict: policy.Rewrite, Path: "a"}, `Path is no absolute virtual path: "a"`},
		{policy.Answer{Verdict: policy.Rewrite, Path2: "/a\r\n"}, `Path2 is no absolute virtual path: "/a\r\n"`},
		{policy.Answer{Limits: policy.Limits{MaxFileSize: -1}}, "Limits are below zero"},
	}
}

type badCommand struct {
	fake fake
	says string
}

func badCommands() []badCommand {
	cmd := func(a policy.Answer) fake {
		return fake{cmd: func(*policy.Command) (policy.Answer, error) { return a, nil }}
	}
	site := func(r policy.SiteReply) fake {
		return fake{site: func(*policy.SiteCall) (policy.SiteReply, error) { return r, nil }}
	}
	return []badCommand{
		{cmd(policy.Answer{Verdict: policy.Rewrite, Path: "/a"}), "a command is answered with verdict 3 (rewrite)"},
		{cmd(policy.Answer{Verdict: policy.Deny, Code: 200}), "Code 200 is no refusal"},
		{fake{cmd: func(c *policy.Command) (policy.Answer, error) { c.Arg = "x"; return policy.Answer{}, nil }}, "the question was changed"},
		{site(policy.SiteReply{Verdict: policy.Rewrite}), "a SITE command is answered with verdict 3 (rewrite)"},
		{site(policy.SiteReply{Verdict: policy.Allow, Code: 550}), "Code 550 stands beside allow"},
		{site(policy.SiteReply{Verdict: policy.Deny, Code: 200}), "Code 200 is no refusal"},
		{site(policy.SiteReply{Lines: make([]string, policy.MaxLines+1)}), "there are 65 lines, at most 64 are sent"},
		{site(policy.SiteReply{Lines: []string{"", "a\nb"}}), `Lines[1] is more than one line: "a\nb"`},
	}
}
