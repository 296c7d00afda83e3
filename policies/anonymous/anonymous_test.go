package anonymous_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/anonymous"
)

// The policy is what it says it is.
var (
	_ policy.Policy        = (*anonymous.Policy)(nil)
	_ policy.Authenticator = (*anonymous.Policy)(nil)
)

func ask(t *testing.T, p policy.Policy, user, password string) policy.Identity {
	t.Helper()
	id, err := p.Hooks().Authenticator.Authenticate(t.Context(), &policy.Login{
		Meta:     policy.Meta{Session: &policy.Session{ID: 1, User: user}},
		Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestReadOnlyByDefault(t *testing.T) {
	p, err := anonymous.New(anonymous.Config{})
	if err != nil {
		t.Fatal(err)
	}
	perms := policy.PermReadOnly
	want := policy.Identity{Verdict: policy.Allow, Anonymous: true, Perms: &perms}
	for _, password := range []string{"", "me@example.org", strings.Repeat("x", 5000)} {
		if diff := cmp.Diff(want, ask(t, p, "anonymous", password)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if perms.String() != "elr" || p.Name() != "anonymous" {
		t.Errorf("perms %q, name %q", perms, p.Name())
	}
}

func TestOtherNamesPass(t *testing.T) {
	p, err := anonymous.New(anonymous.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "ftp", "Anonymous", "ANONYMOUS", "anonymous ", "anonymou", "alice"} {
		if diff := cmp.Diff(policy.Identity{}, ask(t, p, name, "x")); diff != "" {
			t.Errorf("%q is let in:\n%s", name, diff)
		}
	}
}

func TestEverythingSet(t *testing.T) {
	p, err := anonymous.New(anonymous.Config{
		Name: "dropbox", Perms: policy.PermCwd | policy.PermWrite, AllowWrite: true, Home: "/in",
		Limits: policy.Limits{RateUp: 5, MaxFileSize: 10}, MaxSessions: 7, MsgLogin: "Hi.", MsgQuit: "Bye.",
	})
	if err != nil {
		t.Fatal(err)
	}
	perms := policy.PermCwd | policy.PermWrite
	want := policy.Identity{
		Verdict: policy.Allow, Anonymous: true, Perms: &perms, Home: "/in",
		Limits: policy.Limits{RateUp: 5, MaxFileSize: 10}, MaxSessions: 7, MsgLogin: "Hi.", MsgQuit: "Bye.",
	}
	first := ask(t, p, "anonymous", "x")
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	*first.Perms = policy.PermAll
	if again := ask(t, p, "anonymous", "x"); *again.Perms != perms {
		t.Error("one answer changes the next")
	}
	if p.Name() != "dropbox" {
		t.Errorf("name %q", p.Name())
	}
}

func TestNewRefuses(t *testing.T) {
	cases := []struct {
		config anonymous.Config
		want   string
	}{
		{anonymous.Config{Perms: policy.PermAll}, `permissions "adfmwMT"`},
		{anonymous.Config{Perms: policy.PermRead | policy.PermAppend}, `permissions "a"`},
		{anonymous.Config{Home: "pub"}, `home "pub" does not begin with /`},
	}
	for _, c := range cases {
		p, err := anonymous.New(c.config)
		if p != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, %v", c.config, p, err)
		}
	}
}
