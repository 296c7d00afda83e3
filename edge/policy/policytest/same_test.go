package policytest

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// answering is a policy that answers each stage in some way, the same each time.
func answering(change func(*fake)) func(*testing.T) policy.Policy {
	perms := policy.PermAll
	return func(*testing.T) policy.Policy {
		f := &fake{
			auth: func(_ context.Context, l *policy.Login) (policy.Identity, error) {
				return policy.Identity{Verdict: policy.Allow, Perms: &perms, Group: l.Session.User, Expires: l.Time, State: []byte{}, Networks: networks("192.0.2.0/24")}, nil
			},
			fs: func(_ context.Context, a *policy.Action) (policy.Answer, error) {
				return policy.Answer{Limits: policy.Limits{MaxFileSize: a.Size}}, nil
			},
			site: func(c *policy.SiteCall) (policy.SiteReply, error) {
				return policy.SiteReply{Lines: []string{c.Verb, c.Arg}}, nil
			},
			event: func(_ context.Context, e *policy.Event) error {
				if e.Kind == policy.EventLogin {
					return errors.New("one")
				}
				return nil
			},
		}
		change(f)
		return f
	}
}

type difference struct {
	name   string
	change func(*fake)
	says   string
}

func networks(one string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(one)} }

// changes are ways in which a policy is another one.
func changes() []difference {
	perms := policy.PermAll
	identity := func(id policy.Identity) func(*fake) {
		return func(f *fake) {
			f.auth = func(_ context.Context, l *policy.Login) (policy.Identity, error) {
				id.Verdict, id.Group = policy.Allow, l.Session.User
				if id.Perms == nil {
					id.Perms = &perms
				}
				if id.Networks == nil {
					id.Networks = networks("192.0.2.0/24")
				}
				if id.Expires.IsZero() {
					id.Expires = l.Time
				}
				return id, nil
			}
		}
	}
	none := policy.Perms(0)
	return []difference{
		{"perms", identity(policy.Identity{Perms: &none}), "Perms is 0x3ff of the one and 0x0 of the other"},
		{"time", identity(policy.Identity{Expires: time.Unix(1, 0)}), "Expires is "},
		{"rules", identity(policy.Identity{Rules: []policy.PathRule{{Dir: "/"}}}), "Rules is "},
		{"networks", identity(policy.Identity{Networks: networks("192.0.2.0/25")}), "Networks[0] is "},
		{"limits", func(f *fake) {
			f.fs = func(context.Context, *policy.Action) (policy.Answer, error) {
				return policy.Answer{Limits: policy.Limits{MaxFileSize: 9}}, nil
			}
		}, "Limits.MaxFileSize is 0 of the one and 9 of the other"},
		{"lines", func(f *fake) {
			f.site = func(c *policy.SiteCall) (policy.SiteReply, error) {
				return policy.SiteReply{Lines: []string{c.Verb, "y"}}, nil
			}
		}, `Lines[1] is "" of the one and "y" of the other`},
		{"command", func(f *fake) {
			f.cmd = func(c *policy.Command) (policy.Answer, error) {
				if c.Verb != "QUIT" { // which random questions alone have
					return policy.Answer{}, nil
				}
				return policy.Answer{Verdict: policy.Deny}, nil
			}
		}, "Verdict is "},
		{"error", func(f *fake) { f.event = func(context.Context, *policy.Event) error { return nil } }, "event login: the one's error is one, the other's <nil>"},
		{"stages", func(f *fake) { f.hooked = func(f *fake) policy.Hooks { return policy.Hooks{Authorizer: f} } }, "the one takes part in auth, cmd, event, fs, site, the other in fs"},
		{"interest", func(f *fake) {
			f.hooked = func(f *fake) policy.Hooks {
				h := (&fake{}).Hooks()
				return policy.Hooks{Authenticator: f, Authorizer: f, Commander: f, Site: f, Observer: h.Observer, Interest: policy.Interest{Verbs: []string{"QUIT"}}}
			}
		}, "Interest: Verbs is "},
		{"nothing in common", func(f *fake) { f.hooked = func(*fake) policy.Hooks { return policy.Hooks{} } }, "there was nothing to ask"},
		{"panic", func(f *fake) { f.cmd = func(*policy.Command) (policy.Answer, error) { panic("not here") } }, "panic: not here"},
	}
}

func TestSameOnes(t *testing.T) {
	TestSame(t, answering(func(*fake) {}), answering(func(f *fake) {
		auth := f.auth
		f.auth = func(ctx context.Context, l *policy.Login) (policy.Identity, error) {
			id, err := auth(ctx, l)
			id.Expires, id.State, id.Rules = id.Expires.In(time.FixedZone("", 60)), nil, []policy.PathRule{}
			return id, err
		}
		f.event = func(_ context.Context, e *policy.Event) error {
			if e.Kind == policy.EventLogin {
				return errors.New("another")
			}
			return nil
		}
	}), goodCases()...)
}

// TestDifferent compares policies that are not the same, in a process of its own
// because it must fail there, and say why.
func TestDifferent(t *testing.T) {
	if os.Getenv("POLICYTEST_DIFFERENT") != "" {
		for _, c := range changes() {
			t.Run(c.name, func(t *testing.T) { TestSame(t, answering(func(*fake) {}), answering(c.change)) })
		}
		return
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^TestDifferent$", "-test.v")
	cmd.Env = append(os.Environ(), "POLICYTEST_DIFFERENT=1")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("the other process: %v\n%s", err, out)
	}
	for _, c := range changes() {
		failed := []byte("--- FAIL: TestDifferent/" + strings.ReplaceAll(c.name, " ", "_") + " ")
		if !bytes.Contains(out, failed) || !bytes.Contains(out, []byte(c.says)) {
			t.Errorf("%s: nothing says %q", c.name, c.says)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
