package policytest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// TestGood holds that who keeps the rules passes, and that every policy that was
// made is closed once.
func TestGood(t *testing.T) {
	perms, no := policy.PermReadOnly, errors.New("nobody can say")
	var made, closed atomic.Int64
	t.Run("all stages", func(t *testing.T) {
		TestPolicy(t, func(*testing.T) policy.Policy {
			made.Add(1)
			return &fake{
				auth: func(_ context.Context, l *policy.Login) (policy.Identity, error) {
					switch l.Session.User {
					case "anna":
						return policy.Identity{Verdict: policy.Allow, PasswordHash: "$2a$10$abc", Perms: &perms, Home: "/home", Group: "staff",
							Rules: []policy.PathRule{{Dir: "/in", Perms: policy.PermAll}}, Limits: policy.Limits{RateUp: 1}, MaxSessions: 1,
							MsgLogin: "One.\nTwo.", MsgQuit: "Bye.", State: make([]byte, policy.MaxState)}, nil
					case "":
						return policy.Identity{Verdict: policy.Deny, Code: 530, Text: "nobody\tis nobody"}, nil
					}
					return policy.Identity{}, no
				},
				fs: func(_ context.Context, a *policy.Action) (policy.Answer, error) {
					switch a.Op {
					case policy.OpRead:
						return policy.Answer{Verdict: policy.Rewrite, Path: "/x" + a.Path, Label: "moved"}, nil
					case policy.OpList:
						return policy.Answer{Verdict: policy.Hide, Text: "nö"}, nil
					}
					return policy.Answer{Verdict: policy.Deny, Code: 599, Final: true}, nil
				},
				closed: func() error { closed.Add(1); return nil },
			}
		}, goodCases()...)
	})
	if made.Load() != closed.Load() || made.Load() != int64(len(checks())+len(goodCases())) {
		t.Errorf("%d were made and %d closed", made.Load(), closed.Load())
	}
}

func goodCases() []Case {
	return []Case{
		{Login: &policy.Login{}, Want: policy.Deny},
		{Name: "somebody", Login: &policy.Login{Meta: policy.Meta{Session: &policy.Session{User: "anna"}}}, Want: policy.Allow},
		{Login: &policy.Login{Meta: policy.Meta{Session: &policy.Session{User: "bert"}}}, Fails: true},
		{Action: &policy.Action{Op: policy.OpRead, Path: "/a"}, Want: policy.Rewrite},
		{Action: &policy.Action{Op: policy.OpWrite, Path: "/a"}, Want: policy.Deny},
		{Event: &policy.Event{Kind: policy.EventLogin}},
	}
}

// only is a policy that takes part in one stage and is no io.Closer.
type only struct{ policy.Authorizer }

func (only) Name() string          { return "only" }
func (o only) Hooks() policy.Hooks { return policy.Hooks{Authorizer: o} }

func TestOneStage(t *testing.T) {
	TestPolicy(t, func(*testing.T) policy.Policy { return only{&fake{}} })
}

// TestWaiting holds that a policy may wait for others as long as its context lasts,
// and that no check is the longer for it.
func TestWaiting(t *testing.T) {
	t.Parallel()
	const limit = time.Second / 2
	start := time.Now()
	run(t, func(*testing.T) policy.Policy {
		return &fake{event: func(ctx context.Context, e *policy.Event) error {
			if e.Kind == policy.EventDraining {
				<-ctx.Done()
			}
			return ctx.Err()
		}}
	}, limit, nil)
	if took := time.Since(start); took > time.Duration(len(checks()))*2*limit {
		t.Errorf("it took %v", took)
	}
}

// TestCasesStay holds that a case is not changed by being used.
func TestCasesStay(t *testing.T) {
	c := Case{Login: &policy.Login{}}
	q, err := c.question()
	if err != nil || c.Login.Session != nil || q.login.Session == nil || q.login == c.Login {
		t.Errorf("%+v, %v", c.Login, err)
	}
	s := &policy.Session{State: map[string][]byte{"a": {1}}}
	c = Case{Event: &policy.Event{Meta: policy.Meta{Session: s}}}
	q, _ = c.question()
	q.event.Session.State["a"][0] = 2
	if s.State["a"][0] != 1 || q.equal(question{event: c.Event}) {
		t.Error("a copy shares the state")
	}
}

// TestBad gives the conformance function policies that break a rule, in a process
// of its own because it must fail there: each at the checks that are meant to
// notice, and with words that say why.
func TestBad(t *testing.T) {
	if os.Getenv("POLICYTEST_BAD") != "" {
		for _, b := range bad() {
			t.Run(b.name, func(t *testing.T) {
				if b.slow {
					t.Parallel()
				}
				run(t, func(*testing.T) policy.Policy { return b.make() }, b.limit(), b.cases)
			})
		}
		return
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^TestBad$", "-test.v", "-test.parallel=10")
	cmd.Env = append(os.Environ(), "POLICYTEST_BAD=1")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("the other process: %v\n%s", err, out)
	}
	for _, b := range bad() {
		if failed := b.failed(out); failed != strings.Join(b.fails, ", ") {
			t.Errorf("%s: it fails at %q, want %q", b.name, failed, b.fails)
		}
		if !bytes.Contains(out, []byte(b.says)) {
			t.Errorf("%s: nothing says %q", b.name, b.says)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// failed lists the checks at which a policy failed in the other process.
func (b badPolicy) failed(out []byte) string {
	name := strings.ReplaceAll("TestBad/"+b.name+"/", " ", "_")
	var failed []string
	for _, m := range regexp.MustCompile(`(?m)^ *--- FAIL: `+regexp.QuoteMeta(name)+`(.*) \(`).FindAllSubmatch(out, -1) {
		failed = append(failed, strings.ReplaceAll(string(m[1]), "_", " "))
	}
	return strings.Join(failed, ", ")
}
