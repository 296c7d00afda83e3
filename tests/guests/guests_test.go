// Package guests holds that a first-party policy is the same policy in both of its
// forms: linked natively, and built as a module and run in the sandbox. Whatever
// they are asked, their answers are compared field by field, and a session that is
// judged by one or the other gets the same replies, byte for byte.
package guests

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
	"github.com/edgeftp/edgeftp/wasmhost"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// form is a policy in both of its forms.
type form struct {
	name     string
	settings string // of the module
	native   func(t *testing.T, space policy.KV) policy.Policy
	cases    []policytest.Case
}

// forms are all policies of which there are two.
func forms() []form {
	return []form{usersForm(), anonymousForm(), quotaForm(), antifloodForm(), accesslogForm()}
}

// build makes a policy's module, with its manifest.
func build(t *testing.T, name string) []byte {
	t.Helper()
	dir := filepath.Join("..", "..", "policies", name, "module")
	out := filepath.Join(t.TempDir(), "policy")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	about, err := os.ReadFile(filepath.Join(dir, manifest.File))
	if err != nil {
		t.Fatal(err)
	}
	if module, err = manifest.Append(module, about); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d bytes", name, len(module))
	return module
}

// newHost is a host that gives up on no call because the machine is busy. The fuel
// of its budgets is the usual one.
func newHost(t *testing.T, log *slog.Logger) *wasmhost.Host {
	t.Helper()
	var budgets wasmhost.Budgets
	for h := range budgets {
		budgets[h].Time = time.Minute
	}
	host, err := wasmhost.New(t.Context(), wasmhost.Config{CacheDir: t.TempDir() + "/cache", Compile: 5 * time.Minute, Budgets: budgets,
		Limits: wasmhost.Limits{Instances: 2}, Strict: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return host
}

// space is somewhere to remember things, in which nothing vanishes unless the clock
// is moved.
func space(t *testing.T, now func() time.Time) policy.KV {
	t.Helper()
	store, err := kv.Open("", kv.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := store.Space("policy", 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func atNoon() time.Time { return noon }

// load makes a policy of a module, which has a space of its own.
func load(t *testing.T, host *wasmhost.Host, f form, module []byte, now func() time.Time) (p *wasmhost.Policy, s policy.KV) {
	t.Helper()
	s = space(t, now)
	p, err := host.Load(t.Context(), f.name, module, wasmhost.LoadOptions{Settings: []byte(f.settings),
		Grant: wasmhost.Grant{KV: func(string, int64) (policy.KV, error) { return s, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, s
}

// TestForms: both forms keep every rule of policies, and cannot be told apart.
func TestForms(t *testing.T) {
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			module, host := build(t, f.name), newHost(t, nil)
			native := func(t *testing.T) policy.Policy { return f.native(t, space(t, atNoon)) }
			guest := func(t *testing.T) policy.Policy {
				p, _ := load(t, host, f, module, atNoon)
				return p
			}
			if a, b := native(t).Name(), guest(t).Name(); a != b {
				t.Errorf("the one is called %q, the other %q", a, b)
			}
			t.Run("same", func(t *testing.T) { policytest.TestSame(t, native, guest, f.cases...) })
			t.Run("native", func(t *testing.T) { policytest.TestPolicy(t, native, alone(f.cases)...) })
			t.Run("guest", func(t *testing.T) { policytest.TestPolicy(t, guest, alone(f.cases)...) })
		})
	}
}

// alone are the cases whose verdict does not hang on those before them: they have a
// name.
func alone(cases []policytest.Case) (some []policytest.Case) {
	for _, c := range cases {
		if c.Name != "" {
			some = append(some, c)
		}
	}
	return some
}

// TestSettings: a module refuses what its policy refuses, and what it does not know.
func TestSettings(t *testing.T) {
	for name, all := range map[string]map[string]string{
		"users": {`{"users":[{"name":"a","password_hash":"x","colour":"red"}]}`: `unknown setting "users[0].colour"`,
			`{"users":[{"name":"a"}]}`: `"a" has no password hash`,
			`{"users":[{"name":"a","certificates":["` + digest + `"],"msg_login":"One.\nTwo."}]}`: `user "a": cannot be encoded: MSG_LOGIN`,
			`{"users":[{"name":"a","password_hash":"x","perm":"elx"}]}`:                           `setting "users[0]": unknown permission letter`},
		"anonymous": {`{"perm":"elrw"}`: `unless writing is allowed`, `{"perms":"elr"}`: `unknown setting "perms"`,
			`{"msg_quit":"One.\nTwo."}`: "cannot be encoded: MSG_QUIT"},
		"quota":     {`{"each":{"bytes":-1}}`: "the limit of bytes is -1", `{"users":{"a":{"byte":1}}}`: `unknown setting "users.a.byte"`},
		"antiflood": {`{"failures":"3"}`: `"failures" is not a whole number`},
		"accesslog": {`{"format":"yaml"}`: `not "yaml"`, `{"commands":true}`: "no form for commands"},
	} {
		module, host := build(t, name), newHost(t, nil)
		for settings, want := range all {
			s := space(t, atNoon)
			p, err := host.Load(t.Context(), name, module, wasmhost.LoadOptions{Settings: []byte(settings),
				Grant: wasmhost.Grant{KV: func(string, int64) (policy.KV, error) { return s, nil }}})
			if err == nil {
				t.Errorf("%s %s is taken", name, settings)
				_ = p.Close()
			} else if text := err.Error(); !contains(err, want) {
				t.Errorf("%s %s: %s, want %q", name, settings, text, want)
			}
		}
	}
}
