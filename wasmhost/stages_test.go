package wasmhost

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// stages loads the module that takes part in the stages beside auth, fs and event.
func stages(t testing.TB) *Policy {
	t.Helper()
	manifest := `{"name":"stages","site":[{"verb":"ECHO","perm":"l","arg":"text","help":"says text back"}]}`
	return loadModule(t, newHost(t, Config{Budgets: patient()}), declaring(testModule(t, "stages"), manifest), LoadOptions{})
}

func meta() policy.Meta {
	s := testSession
	return policy.Meta{Session: &s, Request: 1, Time: time.Unix(1_700_000_000, 0)}
}

func TestStages(t *testing.T) {
	h := stages(t).Hooks()
	if h.Authenticator != nil || h.Authorizer != nil || h.Observer != nil {
		t.Error("it takes part in a stage without a hook for it")
	}
	cmd, err := h.Commander.Command(t.Context(), &policy.Command{Meta: meta(), Verb: "NOOP", Dir: "/"})
	if d := cmp.Diff(policy.Answer{Verdict: policy.Deny, Code: 450}, cmd); err != nil || d != "" {
		t.Errorf("cmd: %v %s", err, d)
	}
	if cmd, err = h.Commander.Command(t.Context(), &policy.Command{Meta: meta(), Verb: "PWD", Dir: "/"}); err != nil || cmd.Verdict != policy.Pass {
		t.Errorf("cmd: %+v, %v", cmd, err)
	}
	if d := cmp.Diff([]policy.SiteCommand{{Verb: "ECHO", Perm: policy.PermList, Arg: "text", Help: "says text back"}}, h.Site.SiteCommands()); d != "" {
		t.Error(d)
	}
	reply, err := h.Site.CallSite(t.Context(), &policy.SiteCall{Meta: meta(), Verb: "ECHO", Arg: "hello you", Dir: "/"})
	if d := cmp.Diff(policy.SiteReply{Verdict: policy.Allow, Code: 211, Lines: []string{"hello you"}}, reply); err != nil || d != "" {
		t.Errorf("site: %v %s", err, d)
	}
	rate, err := h.Throttler.Throttle(t.Context(), &policy.Transfer{Meta: meta(), Op: policy.OpRead, Path: "/a", Moved: 5000})
	if d := cmp.Diff(policy.Rate{Limit: 5000, TTL: 500 * time.Millisecond}, rate); err != nil || d != "" {
		t.Errorf("throttle: %v %s", err, d)
	}
	for name, want := range map[string]policy.Verdict{"a.example": policy.Allow, "b.example": policy.Pass} {
		if got, err := h.Certifier.Certify(t.Context(), &policy.CertRequest{Meta: meta(), Name: name}); err != nil || got.Verdict != want {
			t.Errorf("cert %s: %v, %v", name, got.Verdict, err)
		}
	}
}

// TestListing asks about directories of every size up to the greatest, also with
// names so long that one question does not hold them.
func TestListing(t *testing.T) {
	l := stages(t).Hooks().Lister
	for _, n := range []int{1, 2, 7, 8, 9, 255, 256} {
		for _, long := range []int{0, 200, 1000} {
			q := &policy.Listing{Meta: meta(), Path: "/dir"}
			var want policy.Bits
			for i := range n {
				name := fmt.Sprintf("%d%s", i, strings.Repeat("x", long))
				if i%3 == 1 {
					name = "." + name
					want.Set(i)
				}
				q.Entries = append(q.Entries, policy.Entry{Name: name, Mode: 0o644, Size: int64(i)})
			}
			view, err := l.List(t.Context(), q)
			if err != nil || view.Hidden != want || view.Verdict != policy.Pass {
				t.Errorf("%d names of %d bytes: %+v, %v", n, long, view, err)
			}
		}
	}
	q := &policy.Listing{Meta: meta(), Path: "/dir", Entries: []policy.Entry{{Name: strings.Repeat("x", 200_000)}}}
	if _, err := l.List(t.Context(), q); !errors.Is(err, errNoRoom) {
		t.Errorf("a name without room: %v", err)
	}
}

func TestFilter(t *testing.T) {
	f := stages(t).Hooks().Filter
	for _, n := range []int{0, 1, 1000, policy.MaxChunk} {
		data := bytes.Repeat([]byte("a"), n)
		piece, err := f.Filter(t.Context(), &policy.Chunk{Meta: meta(), Op: policy.OpWrite, Path: "/a", Upload: true, Data: data,
			Carry: bytes.Repeat([]byte("c"), policy.MaxCarry)})
		if err != nil || piece.Verdict != policy.Rewrite || !bytes.Equal(piece.Data, bytes.Repeat([]byte("b"), n)) ||
			!bytes.Equal(piece.Carry, []byte{byte(n), byte(n >> 8), byte(n >> 16), 0}) {
			t.Errorf("%d bytes: %v, %d bytes with %x, %v", n, piece.Verdict, len(piece.Data), piece.Carry, err)
		}
		if len(data) > 0 && data[0] != 'a' {
			t.Error("the chunk was changed")
		}
	}
	piece, err := f.Filter(t.Context(), &policy.Chunk{Meta: meta(), Op: policy.OpRead, Path: "/a", Data: []byte("!"), Last: true})
	if err != nil || piece.Verdict != policy.Deny || piece.Code != 553 {
		t.Errorf("%+v, %v", piece, err)
	}
}

// TestIsolation holds that an instance that is put back cannot tell that it was
// called before, and that a fresh one was not.
func TestIsolation(t *testing.T) {
	for _, mode := range []string{"pooled", "reset", "fresh"} {
		h := newHost(t, Config{IdleEvery: 1 << 60, Limits: Limits{Instances: 1}})
		p := loadModule(t, h, declaring(testModule(t, "counter"), `{"isolation":"`+mode+`"}`), LoadOptions{})
		for call := range 5 {
			got, err := p.Hooks().Authorizer.Authorize(t.Context(), action("/"))
			want := policy.Deny // it has seen a call before
			if call == 0 || mode != "pooled" {
				want = policy.Pass
			}
			if err != nil || got.Verdict != want {
				t.Errorf("%s, call %d: %v, %v", mode, call, got.Verdict, err)
			}
		}
		if s := p.Stats(); (s.Closed == 5) != (mode == "fresh") || mode != "fresh" && s.Closed != 0 {
			t.Errorf("%s: %d instances were closed", mode, s.Closed)
		}
	}
	_, err := newHost(t, Config{}).Load(t.Context(), "guard", declaring(testModule(t, "tables"), `{"isolation":"reset"}`), LoadOptions{})
	wantRefusal(t, nil, err, CodeManifest, "fresh")
}

// TestCachedAnswers asks a policy that allows its answers to be used again.
func TestCachedAnswers(t *testing.T) {
	p := loadModule(t, newHost(t, Config{}), testModule(t, "cached"), LoadOptions{})
	fs := p.Hooks().Authorizer
	ask := func(change func(*policy.Action)) {
		t.Helper()
		a := action("/a")
		change(a)
		if got, err := fs.Authorize(t.Context(), a); err != nil || got.Verdict != policy.Deny || got.TTL != time.Hour {
			t.Errorf("%+v, %v", got, err)
		}
	}
	same := []func(*policy.Action){func(*policy.Action) {}, func(a *policy.Action) { a.Request, a.Session.ID = 9, 12 },
		func(a *policy.Action) { a.Time = a.Time.Add(time.Minute) }}
	for _, f := range same {
		ask(f)
	}
	if s := p.Stats(); s.Calls != 1 || s.CacheHits != 2 {
		t.Errorf("%d calls, %d hits", s.Calls, s.CacheHits)
	}
	other := []func(*policy.Action){func(a *policy.Action) { a.Path = "/b" }, func(a *policy.Action) { a.Session.User = "bob" },
		func(a *policy.Action) { a.Op = policy.OpRead }, func(a *policy.Action) { a.Size = 1 },
		func(a *policy.Action) { a.Session.State = map[string][]byte{"guest": []byte("x")} }}
	for _, f := range other {
		ask(f)
	}
	if s := p.Stats(); s.Calls != 6 || s.CacheHits != 2 {
		t.Errorf("%d calls, %d hits", s.Calls, s.CacheHits)
	}
	for i := range 2 * maxCached {
		ask(func(a *policy.Action) { a.Path = fmt.Sprintf("/%d", i) })
	}
	if n := len(p.cache.answers); n > maxCached {
		t.Errorf("%d answers are kept", n)
	}
}

func TestBatches(t *testing.T) {
	h := newHost(t, Config{})
	p := load(t, h, "event")
	all, ok := p.Hooks().Observer.(policy.Batcher)
	if !ok {
		t.Fatal("no batches")
	}
	var events []*policy.Event
	for i := range 10 {
		e := &policy.Event{Meta: meta(), Kind: policy.EventLogin, Text: "x"}
		if i%4 == 3 {
			e.Text = "" // it fails these
		}
		events = append(events, e)
	}
	// None after the one that fails is told, lest it were told twice.
	for _, at := range []int{0, 4} {
		taken, err := all.ObserveAll(t.Context(), events[at:])
		if fault := (*CallError)(nil); taken != 3 || !errors.As(err, &fault) || fault.Cause != CauseFailed {
			t.Errorf("from %d, %d were taken, %v", at, taken, err)
		}
	}
	if taken, err := all.ObserveAll(t.Context(), events[8:]); taken != 2 || err != nil {
		t.Errorf("at the end %d were taken, %v", taken, err)
	}
	if s := p.Stats(); s.Calls != 10 || s.Faults[CauseFailed] != 2 {
		t.Errorf("%+v", s)
	}
}

// TestAnswersAreNotMixed asks one instance for answers that differ in the verdict or
// in the reply alone.
func TestAnswersAreNotMixed(t *testing.T) {
	p := loadModule(t, newHost(t, Config{Limits: Limits{Instances: 1}}), testModule(t, "moody"), LoadOptions{})
	fs := p.Hooks().Authorizer
	for range 3 {
		for path, want := range map[string]policy.Answer{
			"/a/deny": {Verdict: policy.Deny, Code: 553, Text: "no"},
			"/a/move": {Verdict: policy.Rewrite, Path: "/x"},
			"/a/next": {Verdict: policy.Allow},
			"/a/hide": {Verdict: policy.Hide},
			"/a/fine": {},
		} {
			for range 2 {
				got, err := fs.Authorize(t.Context(), action(path))
				if d := cmp.Diff(want, got); err != nil || d != "" {
					t.Errorf("%s: %v %s", path, err, d)
				}
			}
		}
	}
	a := action("/a/deny")
	a.Session.Memo = new(policy.Memo)
	if n := testing.AllocsPerRun(100, func() { _, _ = fs.Authorize(t.Context(), a) }); n > 0 && !raceEnabled {
		t.Errorf("a refusal costs %v allocations", n)
	}
}
