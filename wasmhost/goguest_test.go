package wasmhost

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func buildGoGuest(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, ".")
	cmd.Dir = filepath.Join("testdata", "goguest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGoGuest runs a module of the Go SDK through everything that Go programs do.
func TestGoGuest(t *testing.T) {
	var out bytes.Buffer
	h := newHost(t, Config{Budgets: patient(), Compile: 5 * time.Minute,
		CacheDir: t.TempDir() + "/cache", Log: slog.New(slog.NewTextHandler(&out, nil))})
	module := declaring(buildGoGuest(t), `{"capabilities":["password"]}`)
	p, err := h.Load(t.Context(), "go", module, LoadOptions{Grant: Grant{Password: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer closePolicy(t, p)
	if got := strings.Join(p.HookNames(), " "); got != "auth fs event" {
		t.Errorf("hooks %q", got)
	}
	t.Run("auth", func(t *testing.T) { goAuth(t, p) })
	t.Run("faults", func(t *testing.T) { goFaults(t, p) })
	t.Run("answers", func(t *testing.T) { goAnswers(t, p) })
	t.Run("rules", func(t *testing.T) { goRules(t, h, module) })
	s := testSession
	err = p.Hooks().Observer.Observe(t.Context(), &policy.Event{
		Meta: policy.Meta{Session: &s}, Kind: policy.EventBanAdded, Text: "192.0.2.1"})
	if err != nil {
		t.Error(err)
	}
	for _, line := range []string{`level=INFO msg=printed policy=go`, `level=WARN msg="ban_added 192.0.2.1" policy=go`} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("log has no %s:\n%s", line, out.String())
		}
	}
}

func goAuth(t *testing.T, p *Policy) {
	s := testSession
	login := &policy.Login{Meta: policy.Meta{Session: &s}, Password: "secret"}
	id, err := p.Hooks().Authenticator.Authenticate(t.Context(), login)
	if err != nil || id.Verdict != policy.Allow || id.Perms == nil || *id.Perms != policy.PermReadOnly || string(id.State) != "of anna" {
		t.Errorf("%+v, %v", id, err)
	}
	login.Password = "guess"
	if id, err = p.Hooks().Authenticator.Authenticate(t.Context(), login); err != nil || id.Verdict != policy.Deny || id.Text != "no" {
		t.Errorf("%+v, %v", id, err)
	}
	s.Host, s.VHost, s.TLS = "ftp.example.org", "shop", policy.TLS{Version: "1.3", ClientSubject: "CN=anna", ClientSHA256: "00ff"}
	login.Password, login.Early = "", true
	if id, err = p.Hooks().Authenticator.Authenticate(t.Context(), login); err != nil || id.Verdict != policy.Allow || id.Group != s.Host+" of shop" {
		t.Errorf("early: %+v, %v", id, err)
	}
	s.Protocol, login.Binding = "ftpq/1", []byte("of this connection, and no other")
	if id, err = p.Hooks().Authenticator.Authenticate(t.Context(), login); err != nil || id.Verdict != policy.Allow || id.Group != "ftpq/1 of this connection, and no other" || fmt.Sprint(id.Networks) != "[192.0.2.0/24]" {
		t.Errorf("bound: %+v, %v", id, err)
	}
}

func goFaults(t *testing.T, p *Policy) {
	for path, want := range map[string]struct {
		cause Cause
		says  string
	}{
		"/panic":    {CauseTrap, "panic: assignment to entry in nil map"},
		"/error":    {CauseFailed, "I cannot say"},
		"/exit":     {CauseTrap, "exit code 4"},
		"/spin":     {CauseFuel, "stopped after"},
		"/deadlock": {CauseTrap, "deadlock"},
		"/text":     {CauseFailed, "not one line"},
	} {
		_, err := p.Hooks().Authorizer.Authorize(t.Context(), action(path))
		var fault *CallError
		if !errors.As(err, &fault) || fault.Cause != want.cause || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: got %v, want %s with %q", path, err, want.cause, want.says)
		}
		if strings.ContainsAny(err.Error(), "\n\t") {
			t.Errorf("%s: %q is not one line", path, err)
		}
	}
	_, err := p.Hooks().Authorizer.Authorize(t.Context(), action("/panic"))
	if !strings.HasPrefix(err.Error(), "main.go:44: panic: ") {
		t.Errorf("the guest's words do not lead, or do not name the line first: %v", err)
	}
}

func goAnswers(t *testing.T, p *Policy) {
	for path, want := range map[string]string{
		"/sleep":        "1h0m0s",
		"/time":         "2023-11-14 22:13:20",
		"/goroutine":    "from a goroutine",
		"/surroundings": "0 0",
		"/state":        "of anna",
		"/print":        "",
	} {
		a := action(path)
		a.Session.State = map[string][]byte{"go": []byte("of anna"), "other": []byte("not yours")}
		got, err := p.Hooks().Authorizer.Authorize(t.Context(), a)
		if err != nil || got.Text != want {
			t.Errorf("%s: got %q, %v, want %q", path, got.Text, err, want)
		}
	}
}
