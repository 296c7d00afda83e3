package wasmhost

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// bringing adds tests to a module.
func bringing(module []byte, tests string) []byte {
	return append(module, custom(abi.TestsSection, tests)...)
}

func TestTrial(t *testing.T) {
	h := newHost(t, Config{})
	for name, c := range map[string]struct {
		module, tests, says string
	}{
		"right":   {"deny", `{"tests":[{"hook":"fs","op":"write","path":"/a","want":{"action":"deny"}}]}`, ""},
		"none":    {"deny", `{"tests":[]}`, ""},
		"wrong":   {"deny", `{"tests":[{"name":"it lets through","hook":"fs","op":"write","path":"/a","want":{"action":"pass"}}]}`, "it lets through"},
		"trap":    {"moody", `{"tests":[{"hook":"fs","op":"write","path":"/a/trap","want":{"action":"pass"}}]}`, "trap"},
		"loop":    {"moody", `{"tests":[{"hook":"fs","op":"write","path":"/a/loop","want":{"action":"pass"}}]}`, "stopped after"},
		"no hook": {"deny", `{"tests":[{"hook":"auth","want":{"action":"pass"}}]}`, "auth"},
		"no JSON": {"deny", `{"tests":`, "cannot be read"},
		"key":     {"deny", `{"test":[]}`, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := h.Load(t.Context(), "guest", bringing(testModule(t, c.module), c.tests), LoadOptions{})
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				if s := p.Stats(); s.Calls != 0 {
					t.Errorf("%d calls of the trial are among the policy's", s.Calls)
				}
				closePolicy(t, p)
				return
			}
			wantRefusal(t, p, err, CodeTests, c.says)
		})
	}
	_, err := h.Load(t.Context(), "guest", bringing(bringing(testModule(t, "deny"), `{}`), `{}`), LoadOptions{})
	wantRefusal(t, nil, err, CodeMalformed, "twice")
}

// TestTrialKeepsNothing holds that a trial finds none of the policy's own values, and
// no way to the server or out of it.
func TestTrialKeepsNothing(t *testing.T) {
	own := new(policy.MemKV)
	if err := own.Set("k", []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	w := new(cases.Set).World()
	c := (&capabilities{kv: own, metrics: newMetrics("p", newMemSink()), random: rand.Reader}).trial(w)
	if _, ok := c.kv.Get("k"); ok || c.fetch != nil || c.random != w.Random || c.metrics.sink != (nowhere{}) {
		t.Errorf("a trial has %+v", c)
	}
	if err := c.kv.Set("k", nil, 0); err != nil || own.Keys() != 1 {
		t.Errorf("%v, %d keys", err, own.Keys())
	}
	if c := new(capabilities).trial(w); c.kv != nil || c.metrics != nil {
		t.Errorf("a trial of a policy without capabilities has %+v", c)
	}
}

// tried asks the guest of testdata/imports.wat to call functions of the host in a trial.
type tried struct {
	*caller
	trial *Trial
	out   *bytes.Buffer // the server's log
}

const triedWorld = `{"kv":{"k":"value","n":5},"http":{"GET https://idp.example.org/x":{"status":403,"headers":{"X-Role":"staff"},"body":"no"}},
 "files":{"/in/a":{"data":"abc"}}}`

func newTried(t *testing.T, o LoadOptions) *tried {
	t.Helper()
	out := new(bytes.Buffer)
	g := allGranted(&policy.MemKV{}, nowhere{})
	g.Fetch.Allow = append(g.Fetch.Allow, "https://idp.example.org")
	o.Grant, o.Limits.Instances = g, 1
	h := newHost(t, Config{Log: slog.New(slog.NewTextHandler(out, nil))})
	p := loadModule(t, h, declaring(testModule(t, "imports"), everything("idp.example.org")), o)
	set, err := cases.Parse([]byte(triedWorld))
	if err != nil {
		t.Fatal(err)
	}
	trial := p.Trial(set)
	t.Cleanup(trial.Close)
	return &tried{&caller{t, trial.policy}, trial, out}
}

// ask has the guest call a function while it is asked a question, and returns what the
// function returned.
func (c *tried) ask(question string, fn int, args ...uint64) (int64, *Tried) {
	c.t.Helper()
	b := make([]byte, 72)
	for i, a := range args {
		binary.LittleEndian.PutUint64(b[8*i:], a)
	}
	binary.LittleEndian.PutUint32(b[56:], uint32(fn))
	c.write(64, b)
	q, err := cases.ParseQuestion([]byte(question))
	if err != nil {
		c.t.Fatal(err)
	}
	got := c.trial.Ask(c.t.Context(), q)
	if got.Err != nil || len(got.Calls) != 1 || got.Fuel() == 0 || got.Memory() != 4*pageSize {
		c.t.Fatalf("%+v", got)
	}
	return int64(binary.LittleEndian.Uint64(c.read(128, 8))), got
}

// give writes a text for the guest and returns its address and length.
func (c *tried) give(text string) (at, n uint64) {
	c.t.Helper()
	c.write(inAt, []byte(text))
	return inAt, uint64(len(text))
}

const (
	aFile  = `{"hook":"fs","op":"read","path":"/in/a"}`
	aLogin = `{"hook":"auth","user":"anna","password":"secret"}`
)

// TestTrialWorld holds that the guest finds the tests' world behind each import, and
// nothing of the server's.
func TestTrialWorld(t *testing.T) {
	c := newTried(t, LoadOptions{Verify: func(_ context.Context, hash, password string) (bool, error) {
		return hash == "$2" && password == "secret", nil
	}})
	want := func(what string, got, want int64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %d, want %d", what, got, want)
		}
	}
	at, n := c.give("k")
	got, _ := c.ask(aFile, fnKVGet, at, n, outAt, 64)
	want("kv_get", got, 5)
	if text := c.read(outAt, 5); string(text) != "value" {
		t.Errorf("the value is %q", text)
	}
	at, n = c.give("n")
	got, _ = c.ask(aFile, fnKVIncr, at, n, 2, 0, outAt)
	want("kv_incr", got, 0)
	want("the counter", int64(binary.LittleEndian.Uint64(c.read(outAt, 8))), 7)
	at, n = c.give("/in/a")
	got, _ = c.ask(aFile, fnStat, at, n, outAt, 64)
	want("stat", got, 32)
	got, _ = c.ask(aLogin, fnStat, at, n, outAt, 64)
	want("stat before the login", got, int64(abi.ErrnoDenied))
	at, n = c.give("SHA-256")
	got, _ = c.ask(aFile, fnDigest, at, n, outAt, 64)
	want("digest", got, 32)
	if sum := hex.EncodeToString(c.read(outAt, 32)); sum != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("the digest is %s", sum)
	}
	for hash, w := range map[string]int64{"plain:secret": 1, "plain:other": 0, "$2": 1, "$1": 0} {
		at, n = c.give(hash)
		got, _ = c.ask(aLogin, fnVerify, at, n)
		want(hash, got, w)
	}
	at, n = c.give("one line")
	_, o := c.ask(aFile, fnLog, 1, at, n)
	if !slices.Equal(o.Log, []string{"one line"}) || c.out.Len() > 0 {
		t.Errorf("the log has %q, the server's %q", o.Log, c.out)
	}
	at, n = c.give("Not A Name")
	if _, o = c.ask(aFile, fnMetric, at, n, 0, 1); len(o.Missing) != 1 || !strings.Contains(o.Missing[0], "is dropped") || len(o.Log) > 0 {
		t.Errorf("%q, %q", o.Missing, o.Log)
	}
	if _, ok := c.trial.World().KV.Get("born"); !ok {
		t.Error("what the instance stored at its start is not there")
	}
	c.trial.Again()
	if v, ok := c.trial.World().KV.Get("n"); !ok || v[0] != 5 {
		t.Errorf("the world begins with %v", v)
	}
}

func TestTrialFetch(t *testing.T) {
	c := newTried(t, LoadOptions{})
	for _, f := range []struct {
		url, question string
		want          int64
		says          string
	}{
		{"https://idp.example.org/x", aLogin, 34, ""},
		{"https://idp.example.org/x", aFile, int64(abi.ErrnoDenied), ""},
		{"https://idp.example.org/y", aLogin, int64(abi.ErrnoDenied), `it asks "GET https://idp.example.org/y"`},
		{"https://other.example.org/", aLogin, int64(abi.ErrnoDenied), "the manifest does not declare https://other.example.org:443"},
		{"https://a@idp.example.org/", aLogin, int64(abi.ErrnoInvalid), ""},
	} {
		raw, err := abi.AppendFetchRequest(nil, &abi.FetchRequest{URL: f.url, Want: []string{"x-role"}})
		if err != nil {
			t.Fatal(err)
		}
		at, n := c.give(string(raw))
		got, o := c.ask(f.question, fnFetch, at, n, outAt, 4096)
		if says := fmt.Sprint(o.Missing); got != f.want || !strings.Contains(says, f.says) || (f.says == "") != (len(o.Missing) == 0) {
			t.Errorf("%s: got %d, %s, want %d, %s", f.url, got, says, f.want, f.says)
		}
		if got <= 0 {
			continue
		}
		r, err := abi.DecodeFetchResponse(c.read(outAt, uint32(got)))
		if err != nil || r.Status != 403 || string(r.Body) != "no" || len(r.Header) != 1 || r.Header[0].Value != "staff" {
			t.Errorf("%+v, %v", r, err)
		}
		if got, _ = c.ask(f.question, fnFetch, at, n, outAt, 33); got != int64(abi.ErrnoSize) {
			t.Errorf("one byte too few: %d", got)
		}
	}
}

// TestTrialRandom gives two trials the same bytes, and the policy others.
func TestTrialRandom(t *testing.T) {
	var bytes []string
	for range 2 {
		c := newTried(t, LoadOptions{})
		c.ask(aFile, fnRandom, outAt, 16)
		bytes = append(bytes, string(c.read(outAt, 16)))
	}
	if bytes[0] != bytes[1] || bytes[0] == strings.Repeat("\x00", 16) {
		t.Errorf("%x", bytes)
	}
}

// TestTrialReplay asks a record again with the answers of then, and notices a guest
// that asks otherwise.
func TestTrialReplay(t *testing.T) {
	c := newTried(t, LoadOptions{})
	at, n := c.give("k")
	_, o := c.ask(aFile, fnKVGet, at, n, outAt, 64)
	call := o.Calls[0]
	answers := []HostCall{call.Host[0]}
	answers[0].Out, answers[0].Result = []byte("other"), 5
	x, missed, err := c.trial.Replay(t.Context(), abi.HookFS, call.Record, answers)
	if err != nil || missed != 0 || x.Verdict != call.Verdict || x.Fuel != call.Fuel || string(c.read(outAt, 5)) != "other" {
		t.Errorf("%+v, %v, %v", x, missed, err)
	}
	answers[0].In = nil
	if _, missed, err = c.trial.Replay(t.Context(), abi.HookFS, call.Record, answers); err != nil || missed != 0 {
		t.Errorf("any arguments: %v, %v", missed, err)
	}
	for what, list := range map[string][]HostCall{"none": {}, "others": {{Import: "kv_get", In: []byte("x")}}} {
		if x, missed, err = c.trial.Replay(t.Context(), abi.HookFS, call.Record, list); err != nil || missed != 1 || string(x.Host[0].Out) != "value" {
			t.Errorf("%s: %+v, %v, %v", what, x, missed, err)
		}
	}
	if x, missed, err = c.trial.Replay(t.Context(), abi.HookFS, call.Record, nil); err != nil || missed != 0 || string(x.Host[0].Out) != "value" {
		t.Errorf("from the world: %+v, %v, %v", x, missed, err)
	}
	if _, _, err = c.trial.Replay(t.Context(), abi.HookIdle, nil, nil); err == nil {
		t.Error("a hook that is not asked")
	}
}

// TestUntried leaves the tests to whoever asks for that.
func TestUntried(t *testing.T) {
	module := bringing(testModule(t, "deny"), `{"tests":[{"hook":"fs","op":"write","path":"/a","want":{"action":"pass"}}]}`)
	h := newHost(t, Config{})
	p := loadModule(t, h, module, LoadOptions{Untried: true})
	f, err := h.Examine("guest", module, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := cases.Parse(f.Section)
	if err != nil {
		t.Fatal(err)
	}
	trial := p.Trial(set)
	defer trial.Close()
	if o := trial.Ask(t.Context(), &set.Tests[0]); o.Err == nil || o.Action != "deny" || o.Fuel() == 0 || o.Took() <= 0 {
		t.Errorf("%+v", o)
	}
	ask := trial.Asker(t.Context(), &set.Tests[0])
	if err := errors.Join(ask(), ask()); err != nil || trial.Stats().Calls != 3 || p.Stats().Calls != 0 {
		t.Errorf("%v, %+v", err, trial.Stats())
	}
	if b := trial.Budget(abi.HookFS); b.Fuel != decideFuel {
		t.Errorf("%+v", b)
	}
}

// TestTrialAsksEach holds that an answer which may be used again is not, so that each
// test is asked.
func TestTrialAsksEach(t *testing.T) {
	p := load(t, newHost(t, Config{}), "cached")
	trial := p.Trial(new(cases.Set))
	defer trial.Close()
	q, err := cases.ParseQuestion([]byte(`{"hook":"fs","op":"write","path":"/a"}`))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if o := trial.Ask(t.Context(), q); o.Err != nil || len(o.Calls) != 1 {
			t.Errorf("%+v", o)
		}
	}
}
