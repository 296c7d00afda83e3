// Package wasm tests the example policies through the host that the server uses.
package wasm

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/examples/wasm/live"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		live.Clean()
		os.Exit(code)
	}))
}

func load(t testing.TB, c wasmhost.Config, module, settings []byte) *wasmhost.Policy {
	t.Helper()
	h, err := wasmhost.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Load(t.Context(), "example", module, wasmhost.LoadOptions{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if n := p.Stats().Instances; n != 0 {
			t.Errorf("%d instances are left", n)
		}
	})
	return p
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// generous is for tests about what a policy says and not about how fast: a busy
// machine and the race detector must not make them fail.
func generous() wasmhost.Config {
	c := wasmhost.Config{Compile: 10 * time.Minute}
	for hook := range c.Budgets {
		c.Budgets[hook].Time = time.Minute
	}
	return c
}

func question(op policy.Op, path, path2 string) *policy.Action {
	return &policy.Action{
		Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}, Request: 1, Time: time.Unix(1_700_000_000, 0)},
		Op:   op, Path: path, Path2: path2,
	}
}

// TestReadonly asks the one file of vectors of the policy in every language.
func TestReadonly(t *testing.T) {
	set, err := cases.Parse(readFile(t, "readonly/tests.json"))
	if err != nil || len(set.Tests) < 17 {
		t.Fatalf("%+v, %v", set, err)
	}
	for _, dir := range folders(t) {
		if filepath.Dir(dir) != "readonly" {
			continue
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if err := set.Run(t.Context(), "example", load(t, generous(), live.Build(t, dir), nil).Hooks()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUploadGuard(t *testing.T) {
	module := live.Build(t, "upload-guard/go")
	if len(module) > 3_000_000 {
		t.Errorf("the module has %d bytes", len(module))
	}
	var out bytes.Buffer
	c := generous()
	c.Log = slog.New(slog.NewTextHandler(&out, nil))
	p := load(t, c, module, []byte(`{"deny_extensions": ["exe", "scr"]}`))
	if got := strings.Join(p.HookNames(), " "); got != "fs event" {
		t.Errorf("hooks %q: a module exports what it imports from the SDK", got)
	}
	tests := []struct {
		action *policy.Action
		denied bool
	}{
		{question(policy.OpWrite, "/in/a.csv", ""), false},
		{question(policy.OpWrite, "/in/a.EXE", ""), true},
		{question(policy.OpRename, "/in/a.txt", "/in/a.scr"), true},
		{question(policy.OpRename, "/in/a.txt", "/in/b.txt"), false},
		{question(policy.OpRead, "/in/a.exe", ""), false},
	}
	for _, tt := range tests {
		got, err := p.Hooks().Authorizer.Authorize(t.Context(), tt.action)
		want := policy.Answer{}
		if tt.denied {
			want = policy.Answer{Verdict: policy.Deny, Text: "executables are not accepted here"}
		}
		if err != nil || got != want {
			t.Errorf("%s %s %s: %+v, %v", tt.action.Op, tt.action.Path, tt.action.Path2, got, err)
		}
	}
	event := &policy.Event{Meta: question(policy.OpWrite, "", "").Meta, Kind: policy.EventFileReceived, Path: "/in/a.csv", Size: 12}
	if err := p.Hooks().Observer.Observe(t.Context(), event); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), `"stored /in/a.csv, 12 bytes, from anna" policy=example`) {
		t.Errorf("log: %s", out.String())
	}
}

func TestUploadGuardSettings(t *testing.T) {
	h, err := wasmhost.New(t.Context(), generous())
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Load(t.Context(), "guard", live.Build(t, "upload-guard/go"), wasmhost.LoadOptions{Settings: []byte(`{"deny": []}`)})
	if p != nil || err == nil || !strings.Contains(err.Error(), `EF2114`) || !strings.Contains(err.Error(), `unknown setting "deny"`) {
		t.Errorf("got %v, %v", p, err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
