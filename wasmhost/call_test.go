package wasmhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func TestAnswers(t *testing.T) {
	fs := load(t, newHost(t, Config{}), "moody").Hooks().Authorizer
	tests := []struct {
		path string
		want policy.Answer
	}{
		{"/some/path", policy.Answer{}},
		{"/a/deny", policy.Answer{Verdict: policy.Deny, Code: 553, Text: "no"}},
		{"/a/hide", policy.Answer{Verdict: policy.Hide}},
		{"/a/move", policy.Answer{Verdict: policy.Rewrite, Path: "/x"}},
		{"/a/grow", policy.Answer{}},
		{"/a/next", policy.Answer{Verdict: policy.Allow}},
	}
	for _, tt := range tests {
		got, err := fs.Authorize(t.Context(), action(tt.path))
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.path, d)
		}
	}
}

// TestFaults asks for every way in which a guest can fail. Each costs its own
// decision, and the next one is answered.
func TestFaults(t *testing.T) {
	tests := []struct {
		word  string
		cause Cause
		says  string
		kept  bool // the instance goes on
	}{
		{"trap", CauseTrap, "unreachable", false},
		{"loop", CauseFuel, "stopped after", false},
		{"deep", CauseDepth, "nested more deeply than", false},
		{"junk", CauseBadOutput, "bad reply", false},
		{"code", CauseBadOutput, "code 100", false},
		{"long", CauseBadOutput, "16385 bytes", false},
		{"huge", CauseBadOutput, "2147483647", false},
		{"keys", CauseBadOutput, "65535", false},
		{"crlf", CauseBadOutput, "not one line", false},
		{"utf8", CauseBadOutput, "not one line", false},
		{"home", CauseBadOutput, "takes no HOME", false},
		{"quot", CauseBadOutput, "not supported by this server yet: QUOTA_BYTES", false},
		{"logs", CauseTrap, "outside the guest's memory", false},
		{"fail", CauseFailed, "oops", true},
	}
	p := load(t, newHost(t, Config{Budgets: patient()}), "moody")
	for _, tt := range tests {
		t.Run(tt.word, func(t *testing.T) {
			fs, before := p.Hooks().Authorizer, p.Stats()
			got, err := fs.Authorize(t.Context(), action("/in/"+tt.word))
			var fault *CallError
			if !errors.As(err, &fault) || fault.Cause != tt.cause || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %s with %q", err, tt.cause, tt.says)
			}
			if d := cmp.Diff(policy.Answer{}, got); d != "" {
				t.Errorf("an answer beside the error: %s", d)
			}
			if after := p.Stats(); (after.Closed == before.Closed) != tt.kept {
				t.Errorf("instances closed: %d, then %d", before.Closed, after.Closed)
			}
			if _, err := fs.Authorize(t.Context(), action("/in/fine")); err != nil {
				t.Errorf("the next decision: %v", err)
			}
		})
	}
	s := p.Stats()
	want := Stats{Calls: 28, Instances: s.Instances, Idle: s.Instances, Made: s.Made, Closed: s.Made - uint64(s.Instances),
		Fuel: s.Fuel, Memory: s.Memory, Compile: s.Compile}
	want.Faults[CauseTrap], want.Faults[CauseFuel], want.Faults[CauseDepth] = 2, 1, 1
	want.Faults[CauseBadOutput], want.Faults[CauseFailed] = 9, 1
	if s.Fuel < 1_000_000 || s.Memory < pageSize || s.Compile <= 0 {
		t.Errorf("%d units of fuel, %d bytes of memory, compiled in %v", s.Fuel, s.Memory, s.Compile)
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Errorf("numbers: %s", d)
	}
}

func TestStrict(t *testing.T) {
	fs := load(t, newHost(t, Config{Strict: true}), "moody").Hooks().Authorizer
	if _, err := fs.Authorize(t.Context(), action("/next")); err == nil || !strings.Contains(err.Error(), "unknown key 1024") {
		t.Errorf("got %v", err)
	}
}

func TestGrowthIsBounded(t *testing.T) {
	for _, name := range []string{"grow-memory", "grow-table"} {
		fs := load(t, newHost(t, Config{}), name).Hooks().Authorizer
		if got, err := fs.Authorize(t.Context(), action("/")); err != nil || got.Verdict != policy.Pass {
			t.Errorf("%s: got %v, %v: it grew", name, got.Verdict, err)
		}
	}
}

func TestQuestionThatDoesNotFit(t *testing.T) {
	p := load(t, newHost(t, Config{}), "pass")
	for _, path := range []string{"/" + strings.Repeat("x", 20000), "/a\x00b"} {
		_, err := p.Hooks().Authorizer.Authorize(t.Context(), action(path))
		var fault *CallError
		if !errors.As(err, &fault) || fault.Cause != CauseQuestion {
			t.Errorf("got %v", err)
		}
	}
	if s := p.Stats(); s.Closed != 0 {
		t.Errorf("%d instances closed", s.Closed)
	}
}

func TestAuth(t *testing.T) {
	a := load(t, newHost(t, Config{}), "auth").Hooks().Authenticator
	s := testSession
	login := &policy.Login{Meta: policy.Meta{Session: &s, Request: 1, Time: time.Unix(1, 0)}}
	perms := policy.PermReadOnly
	got, err := a.Authenticate(t.Context(), login)
	want := policy.Identity{Verdict: policy.Allow, Perms: &perms, State: []byte("s1")}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	s.User = "mallory"
	got, err = a.Authenticate(t.Context(), login)
	want = policy.Identity{Verdict: policy.Deny, Code: 530}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
}

// TestEarly asks before and after there is a password, with and without the
// capability to see it.
func TestEarly(t *testing.T) {
	for _, show := range []bool{false, true} {
		module, o := testModule(t, "early"), LoadOptions{Grant: Grant{Password: true}} // granted is not declared
		if show {
			module = declaring(module, `{"capabilities":["password"]}`)
		}
		a := loadModule(t, newHost(t, Config{}), module, o).Hooks().Authenticator
		s := testSession
		s.Host, s.TLS = "ftp.example.org", policy.TLS{Version: "1.3", ClientSubject: "CN=anna", ClientSHA256: "00ff"}
		seen := policy.Pass
		if show {
			seen = policy.Deny
		}
		for _, c := range []struct {
			login policy.Login
			want  policy.Verdict
		}{
			{policy.Login{Early: true}, policy.Allow},
			{policy.Login{Password: "secret"}, seen},
			{policy.Login{}, policy.Pass},
		} {
			c.login.Meta = policy.Meta{Session: &s, Request: 1}
			asked := c.login
			got, err := a.Authenticate(t.Context(), &asked)
			if err != nil || got.Verdict != c.want {
				t.Errorf("shown %v, %+v: got %v, %v, want %v", show, c.login, got.Verdict, err, c.want)
			}
			if d := cmp.Diff(c.login, asked, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
				t.Errorf("the question was changed: %s", d)
			}
		}
		_, err := a.Authenticate(t.Context(), &policy.Login{Meta: policy.Meta{Session: &s}, Early: true, Password: "secret"})
		if fault := (*CallError)(nil); show && (!errors.As(err, &fault) || fault.Cause != CauseQuestion || strings.Contains(err.Error(), "secret")) {
			t.Errorf("an early question with a password: %v", err)
		}
	}
}

func TestEventAndLog(t *testing.T) {
	var out bytes.Buffer
	h := newHost(t, Config{Log: slog.New(slog.NewTextHandler(&out, nil))})
	p := load(t, h, "event")
	s := testSession
	event := &policy.Event{Meta: policy.Meta{Session: &s}, Kind: policy.EventFileReceived,
		Text: "one\nlevel=ERROR \x1b[31m" + strings.Repeat("x", 2000)}
	if err := p.Hooks().Observer.Observe(t.Context(), event); err != nil {
		t.Error(err)
	}
	line := out.String()
	if !strings.Contains(line, "level=WARN") || !strings.Contains(line, `\\u001b[31m`) ||
		!strings.Contains(line, "policy=event") || !strings.Contains(line, "...") ||
		strings.Count(line, "\n") != 1 || len(line) > 1300 {
		t.Errorf("log: %q", line)
	}
	event.Text = ""
	var fault *CallError
	if err := p.Hooks().Observer.Observe(t.Context(), event); !errors.As(err, &fault) || fault.Cause != CauseFailed {
		t.Errorf("got %v", err)
	}
	event.Text = "again"
	for range 1000 {
		if err := p.Hooks().Observer.Observe(t.Context(), event); err != nil {
			t.Fatal(err)
		}
	}
	if s := p.Stats(); s.LogDropped < 500 {
		t.Errorf("%d of 1,000 lines were dropped", s.LogDropped)
	}
}

// TestStderrLeads holds that a guest's last words come first and are made safe.
func TestStderrLeads(t *testing.T) {
	_, err := load(t, newHost(t, Config{}), "exit").Hooks().Authorizer.Authorize(t.Context(), action("/"))
	if want := `boom\u001b[31m\n! (trap in fs: the guest left with exit code 3)`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestIdle(t *testing.T) {
	p := load(t, newHost(t, Config{IdleEvery: 1, Limits: Limits{Instances: 1}}), "idle")
	fs := p.Hooks().Authorizer
	// The only instance is busy with its housekeeping until it is back, so the
	// calls see its steps in order: before, after the first, fresh again.
	for i, want := range []policy.Verdict{policy.Deny, policy.Pass, policy.Deny} {
		got, err := fs.Authorize(t.Context(), action("/"))
		if err != nil || got.Verdict != want {
			t.Errorf("call %d: got %v, %v, want %v", i, got.Verdict, err, want)
		}
	}
}

func TestNoInstanceInTime(t *testing.T) {
	p := load(t, newHost(t, Config{Limits: Limits{Instances: 1}, Budgets: Budgets{abi.HookFS: {Time: 50 * time.Millisecond}}}), "moody")
	in, _ := p.pool.quick() // somebody else's call
	_, err := p.Hooks().Authorizer.Authorize(t.Context(), action("/"))
	if fault := (*CallError)(nil); !errors.As(err, &fault) || fault.Cause != CauseNoInstance || !errors.Is(err, errBusy) {
		t.Errorf("got %v", err)
	}
	p.pool.give(in)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Hooks().Authorizer.Authorize(ctx, action("/")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestConcurrent mixes good and bad questions from many sessions.
func TestConcurrent(t *testing.T) {
	p := load(t, newHost(t, Config{Budgets: patient()}), "moody")
	fs := p.Hooks().Authorizer
	words := []string{"fine", "deny", "trap", "hide", "junk", "fail", "move"}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 200 {
				word := words[(g+i)%len(words)]
				got, err := fs.Authorize(t.Context(), action(fmt.Sprintf("/%d/%d/%s", g, i, word)))
				bad := word == "trap" || word == "junk" || word == "fail"
				if (err != nil) != bad || word == "deny" && got.Text != "no" || word == "move" && got.Path != "/x" {
					t.Errorf("%s: %+v, %v", word, got, err)
				}
			}
		})
	}
	wg.Wait()
	if s := p.Stats(); s.Calls != 3200 || s.Instances > p.module.limits.Instances || s.Instances != s.Idle {
		t.Errorf("numbers %+v", s)
	}
}

// TestSwap loads a second generation while the first is used, and closes the
// first while the second is used.
func TestSwap(t *testing.T) {
	dir := t.TempDir()
	h := newHost(t, Config{CacheDir: dir + "/cache", Budgets: patient()})
	for range 10 {
		first, second := mustLoad(t, h, "pass"), mustLoad(t, h, "deny")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { asks(t, first, policy.Pass) })
			wg.Go(func() { asks(t, second, policy.Deny) })
		}
		same := mustLoad(t, h, "pass") // the same bytes again, while they are in use
		wg.Wait()
		for range 4 {
			wg.Go(func() { asks(t, second, policy.Deny) })
		}
		closePolicy(t, first)
		asks(t, same, policy.Pass)
		wg.Wait()
		if _, err := first.Hooks().Authorizer.Authorize(t.Context(), action("/")); !errors.Is(err, errClosed) {
			t.Errorf("a closed policy answered %v", err)
		}
		closePolicy(t, first)
		closePolicy(t, second)
		closePolicy(t, same)
	}
}

func mustLoad(t *testing.T, h *Host, name string) *Policy {
	t.Helper()
	p, err := h.Load(t.Context(), name, testModule(t, name), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func asks(t *testing.T, p *Policy, want policy.Verdict) {
	for range 200 {
		got, err := p.Hooks().Authorizer.Authorize(context.Background(), action("/some/file"))
		if err != nil || got.Verdict != want {
			t.Errorf("%s: got %v, %v", p.Name(), got.Verdict, err)
			return
		}
	}
}

// TestVirtualHosts asks one module about sessions of two virtual hosts and of none. It was
// made for minor 3: what came later makes no difference to it.
func TestVirtualHosts(t *testing.T) {
	a := load(t, newHost(t, Config{Budgets: patient()}), "vhost").Hooks().Authorizer
	for _, host := range []string{"", "shop", "museum", ""} {
		s := testSession
		s.VHost, s.Host, s.Listener, s.Protocol = host, "ftp.example.org", "main", "ftpq/1"
		want := policy.Answer{}
		if host != "" {
			want = policy.Answer{Verdict: policy.Deny, Code: 553, Text: host}
		}
		got, err := a.Authorize(t.Context(), &policy.Action{Meta: policy.Meta{Session: &s, Request: 1}, Op: policy.OpWrite, Path: "/a"})
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("at %q: %v %s", host, err, d)
		}
	}
}

// TestProtocols asks one module about sessions over each protocol, and about logins on two
// connections and on one of which nothing is known.
func TestProtocols(t *testing.T) {
	const binding = "\x00of a connection, and no other\x01\x00"
	hooks := load(t, newHost(t, Config{Budgets: patient()}), "protocol").Hooks()
	for _, protocol := range []string{"", "ftpq/1", "http/1.1", "h2", "h3", ""} {
		s := testSession
		s.Protocol = protocol
		want := policy.Answer{}
		if protocol != "" {
			want = policy.Answer{Verdict: policy.Deny, Code: 553, Text: protocol}
		}
		got, err := hooks.Authorizer.Authorize(t.Context(), &policy.Action{Meta: policy.Meta{Session: &s, Request: 1}, Op: policy.OpWrite, Path: "/a"})
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("over %q: %v %s", protocol, err, d)
		}
	}
	s := testSession
	for _, tt := range []struct {
		binding string
		want    policy.Verdict
	}{{"", policy.Pass}, {binding, policy.Allow}, {strings.Repeat("x", len(binding)), policy.Deny}, {"", policy.Pass}} {
		for _, early := range []bool{false, true} {
			login := &policy.Login{Meta: policy.Meta{Session: &s, Request: 1}, Binding: []byte(tt.binding), Early: early}
			if id, err := hooks.Authenticator.Authenticate(t.Context(), login); err != nil || id.Verdict != tt.want {
				t.Errorf("with %q, early %v: %v, %v", tt.binding, early, id.Verdict, err)
			}
		}
	}
	id, err := hooks.Authenticator.Authenticate(t.Context(), &policy.Login{Meta: policy.Meta{Session: &s}, Binding: []byte("short")})
	if fault := (*CallError)(nil); !errors.As(err, &fault) || fault.Cause != CauseQuestion || id.Verdict != policy.Pass {
		t.Errorf("a binding that cannot be told: %v, %v", id.Verdict, err)
	}
}
