package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a Controller with one policy, "guard".
type fake struct {
	mu      sync.Mutex
	swapped [][]byte
	last    Swap
	global  Rates
	wait    chan struct{} // Swap waits for it, if set, or for its context
}

func (f *fake) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Status{Version: "1", PID: 7, Sessions: 3, Policies: []Policy{f.policy()}}
}

func (f *fake) policy() Policy {
	return Policy{Name: "guard", Generation: uint64(len(f.swapped)) + 1, Kind: "module", Hooks: []string{"fs"}}
}

func (f *fake) Policies() Policies { return f }

func (f *fake) Promote(_ context.Context, name string) (Policy, error) {
	return Policy{}, &Refusal{Code: CodeNoCandidate, Message: name + " has no candidate"}
}

func (f *fake) History(name string) ([]Accepted, error) {
	return []Accepted{{Digest: "sha256:1", Version: "1.0.0"}, {Number: 1, Digest: name}}, nil
}

func (f *fake) Differences(string) ([]Difference, error) { return nil, nil }

// Swap takes a swap of "guard".
func (f *fake) Swap(ctx context.Context, s Swap) ([]Policy, error) {
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = s
	for _, m := range s.Modules {
		switch {
		case m.Name != "guard":
			return nil, &Refusal{Code: CodePolicyUnknown, Message: "no policy is called " + m.Name, Help: "look at the list"}
		case string(m.Module) == "broken":
			return nil, errors.New("the disk is full")
		}
		f.swapped = append(f.swapped, m.Module)
	}
	return []Policy{f.policy()}, nil
}

func (f *fake) Rollback(_ context.Context, _, to string) (Policy, error) {
	if to == "7" {
		return Policy{}, &Refusal{Code: CodePolicyHistory, Message: "no module has the number 7"}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.swapped) == 0 {
		return Policy{}, &Refusal{Code: CodePolicyFirst, Message: "nothing to go back to"}
	}
	f.swapped = f.swapped[:len(f.swapped)-1]
	return f.policy(), nil
}

func (f *fake) Bandwidth() Bandwidth {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Bandwidth{Global: f.global}
}

func (f *fake) Limit(l Limit) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.Scope != "global" || l.Down == nil {
		return &Refusal{Code: CodeScope, Message: "there is no scope " + l.Scope}
	}
	f.global.Down = *l.Down
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serve runs a server on a socket of its own until the test ends.
func serve(t *testing.T, c Controller) (*Server, Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "admin.sock")
	s, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(c, quiet()) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return s, Client{Path: path}
}

func TestRoundTrips(t *testing.T) {
	f := &fake{}
	_, c := serve(t, f)
	ctx := t.Context()
	st, err := c.Status(ctx)
	if diff := cmp.Diff(f.Status().Policies, st.Policies); diff != "" || err != nil || st.PID != 7 || st.Sessions != 3 || st.Listeners == nil {
		t.Errorf("%+v, %v\n%s", st, err, diff)
	}
	module := bytes.Repeat([]byte("\x00asm"), 1<<18)
	list, err := c.Swap(ctx, one("guard", module))
	if err != nil || len(list) != 1 || list[0].Generation != 2 || !bytes.Equal(f.swapped[0], module) {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := c.Policies(ctx); err != nil || len(list) != 1 || list[0].Generation != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	if p, err := c.Rollback(ctx, "guard", ""); err != nil || p.Generation != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// one is a swap of one module.
func one(name string, module []byte) Swap {
	return Swap{Modules: []Module{{Name: name, Module: module}}}
}

// What a swap says beside the module arrives, whichever way it is sent.
func TestSwapIsWhole(t *testing.T) {
	f := &fake{}
	_, c := serve(t, f)
	for _, s := range []Swap{
		{Modules: []Module{{Name: "guard", Module: []byte("m"), Signature: []byte("untrusted comment: x\n"), Source: "/a b/ä.wasm"}},
			Canary: 5, For: 90 * time.Second, Downgrade: true},
		{Modules: []Module{{Name: "guard", Module: []byte("m")}}, Shadow: true},
		{Modules: []Module{{Name: "guard", Module: []byte("m")}, {Name: "guard", Module: []byte("n"), Signature: []byte("s")}}, Now: true},
	} {
		if _, err := c.Swap(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, f.last, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
	var r *Refusal
	if _, err := c.Rollback(t.Context(), "guard", "7"); !errors.As(err, &r) || r.Code != CodePolicyHistory {
		t.Error(err)
	}
	if _, err := c.Promote(t.Context(), "guard"); !errors.As(err, &r) || r.Code != CodeNoCandidate {
		t.Error(err)
	}
	if h, err := c.History(t.Context(), "a/b"); err != nil || len(h) != 2 || h[1].Number != 1 || h[1].Digest != "a/b" {
		t.Error(h, err)
	}
	if d, err := c.Differences(t.Context(), "guard"); err != nil || d == nil || len(d) != 0 {
		t.Error(d, err)
	}
}

func TestRefusals(t *testing.T) {
	_, c := serve(t, &fake{})
	ctx := t.Context()
	swap := func(name string, module []byte) error { _, err := c.Swap(ctx, one(name, module)); return err }
	_, rollback := c.Rollback(ctx, "guard", "")
	cases := []struct {
		what string
		err  error
		want Refusal
	}{
		{"unknown name", swap("../x y", []byte("m")), Refusal{CodePolicyUnknown, "no policy is called ../x y", "look at the list"}},
		{"no rollback", rollback, Refusal{Code: CodePolicyFirst, Message: "nothing to go back to"}},
		{"fault", swap("guard", []byte("broken")), Refusal{Code: CodeFault, Message: "the disk is full"}},
		{"oversized", swap("guard", make([]byte, maxModule+1)), Refusal{CodeTooMuch, "the module is larger than 8 MiB", "build it without debugging information"}},
		{"empty", swap("guard", []byte{}), Refusal{Code: CodeEmpty, Message: "the module is empty", Help: "build it again, or name another file; nothing has changed"}},
		{"largest", swap("guard", make([]byte, maxModule)), Refusal{}},
	}
	for _, tc := range cases {
		var r *Refusal
		switch {
		case tc.want == Refusal{} && tc.err == nil:
		case !errors.As(tc.err, &r) || *r != tc.want || errors.Is(tc.err, ErrUnreachable):
			t.Errorf("%s: %v", tc.what, tc.err)
		}
	}
}

func TestHTTP(t *testing.T) {
	h := handler(&fake{})
	cases := []struct {
		method, path, kind, body string
		status                   int
		want                     string
	}{
		{"GET", "/v1/healthz", "", "", 200, "{}"},
		{"GET", "/v1/policies", "", "", 200, `[{"name":"guard"`},
		{"GET", "/v1/status", "", "", 200, `"listeners":[]`},
		{"POST", "/v1/policies/guard/swap", "application/wasm", "m", 200, `"generation":2`},
		{"POST", "/v1/policies/guard/rollback", "", "", 200, `"generation":1`},
		{"POST", "/v1/policies/guard/rollback", "", "", 409, `{"error":{"code":"` + CodePolicyFirst + `"`},
		{"POST", "/v1/policies/other/swap", "application/wasm", "m", 409, `"help":"look at the list"`},
		{"POST", "/v1/policies/guard/swap", "application/wasm", "broken", 500, `"code":"` + CodeFault + `"`},
		{"POST", "/v1/policies/guard/swap", "text/plain", "m", 415, `"code":"` + CodeNoModule + `"`},
		{"POST", "/v1/policies/guard/swap", "", "m", 415, `"code":"` + CodeNoModule + `"`},
		{"POST", "/v1/policies/guard/swap", "application/wasm", "", 400, `"code":"` + CodeEmpty + `"`},
		{"POST", "/v1/policies/guard/swap", "application/wasm", strings.Repeat("x", maxModule+1), 413, `"code":"` + CodeTooMuch + `"`},
		{"POST", "/v1/policies/guard/swap?canary=x", "application/wasm", "m", 400, `"code":"` + CodeTrial + `"`},
		{"POST", "/v1/policies/guard/swap?xyz=1", "application/wasm", "m", 400, `"code":"` + CodeTrial + `"`},
		{"POST", "/v1/policies/swap", "application/json", "m", 400, `"code":"` + CodeNotWhole + `"`},
		{"POST", "/v1/policies/swap", "application/json", `{"modules":[{"name":"guard"}]}`, 400, `"code":"` + CodeEmpty + `"`},
		{"POST", "/v1/policies/swap", "application/json", `{"modules":[{"name":"guard","module":"bQ=="}]}`, 200, `[{"name":"guard"`},
		{"GET", "/v1/policies/guard/swap", "", "", 404, `"code":"` + CodeNoRequest + `"`},
		{"DELETE", "/v1/policies", "", "", 404, `"code":"` + CodeNoRequest + `"`},
		{"GET", "/", "", "", 404, `"code":"` + CodeNoRequest + `"`},
	}
	for _, c := range cases {
		req := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
		if c.kind != "" {
			req.Header.Set("Content-Type", c.kind)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
	// A body that breaks off is not taken for a module.
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/policies/guard/swap", io.MultiReader(strings.NewReader("m"), broken{}))
	req.Header.Set("Content-Type", "application/wasm")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, req); w.Code != http.StatusBadRequest {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestWhoIsServed(t *testing.T) {
	for _, c := range []struct {
		peer, own int
		want      bool
	}{{1000, 1000, true}, {0, 1000, true}, {1001, 1000, false}, {1000, 0, false}, {0, 0, true}, {-1, 1000, false}, {-1, 0, false}} {
		if permitted(c.peer, c.own) != c.want {
			t.Errorf("user %d at a server of %d: %v", c.peer, c.own, !c.want)
		}
	}
}

// visited is the server's end of a connection that this process has made to itself.
func visited(t *testing.T) net.Conn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestPeerIsKnown(t *testing.T) {
	s := visited(t)
	if p, known := peerOf(s); known && p.UID != os.Geteuid() {
		t.Errorf("the peer is %d, we are %d", p.UID, os.Geteuid())
	}
	_ = s.Close()
	if p, known := peerOf(s); known && p.UID != -1 {
		t.Errorf("a closed connection is of %d", p.UID)
	}
}

// A stranger's connection is closed without a word; here every peer is one.
func TestStrangersAreTurnedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	_, err = Client{Path: path}.Status(t.Context())
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "own user and root") {
		t.Error(err)
	}
	_ = l.Close()
	<-done
}

func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "none"), plain, filepath.Join(dir, strings.Repeat("x", 120))} {
		if _, err := (Client{Path: path}).Status(t.Context()); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestImpatientCaller(t *testing.T) {
	f := &fake{wait: make(chan struct{})}
	_, c := serve(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Swap(ctx, one("guard", []byte("m")))
	if errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestCloseEndsARunningCall(t *testing.T) {
	f := &fake{wait: make(chan struct{})}
	s, c := serve(t, f)
	got := make(chan error, 1)
	go func() {
		_, err := c.Swap(t.Context(), one("guard", []byte("m")))
		got <- err
	}()
	for conns := 0; conns == 0; { // until the call has arrived
		if _, err := c.Status(t.Context()); err == nil {
			conns++
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-got; err == nil {
		t.Error("the call succeeded")
	}
}

func TestForeignServer(t *testing.T) {
	for _, text := range []string{"hello", ""} {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if text == "" {
				w.WriteHeader(http.StatusTeapot)
			}
			_, _ = io.WriteString(w, text)
		})}
		done := make(chan error, 1)
		go func() { done <- srv.Serve(l) }()
		if _, err := (Client{Path: path}).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer of edgeftp") {
			t.Error(err)
		}
		_ = srv.Close()
		<-done
	}
}
