package guest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// vectors reads one file of the golden bytes.
func vectors[T any](t *testing.T, file string) []T {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "vectors", file))
	if err != nil {
		t.Fatal(err)
	}
	var list []T
	if err := json.Unmarshal(b, &list); err != nil || len(list) == 0 {
		t.Fatalf("%s: %d vectors, %v", file, len(list), err)
	}
	return list
}

// slot is the name under which the vectors' STATE was sent.
const slot = "guard"

// echo writes every question that it is shown back into bytes.
type echo struct {
	t      *testing.T
	rec    []byte
	answer policy.Answer
	id     policy.Identity
	view   policy.View
	reply  policy.SiteReply
	rate   policy.Rate
	piece  policy.Piece
	err    error
}

func (e *echo) Name() string { return slot }

func (e *echo) keep(rec []byte, err error) {
	if err != nil {
		e.t.Error(err)
	}
	e.rec = rec
}

func (e *echo) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	e.keep(abi.AppendLogin(nil, slot, l))
	return e.id, e.err
}

func (e *echo) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	e.keep(abi.AppendAction(nil, slot, a))
	return e.answer, e.err
}

func (e *echo) Observe(_ context.Context, ev *policy.Event) error {
	e.keep(abi.AppendEvent(nil, slot, ev))
	return e.err
}

func (e *echo) List(_ context.Context, l *policy.Listing) (policy.View, error) {
	e.keep(abi.AppendListing(nil, slot, l))
	return e.view, e.err
}

func (e *echo) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	e.keep(abi.AppendCommand(nil, slot, c))
	return e.answer, e.err
}

func (e *echo) SiteCommands() []policy.SiteCommand { return nil }

func (e *echo) CallSite(_ context.Context, c *policy.SiteCall) (policy.SiteReply, error) {
	e.keep(abi.AppendSiteCall(nil, slot, c))
	return e.reply, e.err
}

func (e *echo) Throttle(_ context.Context, tr *policy.Transfer) (policy.Rate, error) {
	e.keep(abi.AppendTransfer(nil, slot, tr))
	return e.rate, e.err
}

func (e *echo) Filter(_ context.Context, c *policy.Chunk) (policy.Piece, error) {
	e.keep(abi.AppendChunk(nil, slot, c))
	return e.piece, e.err
}

func (e *echo) Certify(_ context.Context, r *policy.CertRequest) (policy.Answer, error) {
	e.keep(abi.AppendCertRequest(nil, slot, r))
	return e.answer, e.err
}

func (e *echo) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: e, Authorizer: e, Lister: e, Commander: e, Site: e, Throttler: e,
		Filter: e, Observer: e, Certifier: e}
}

func newEcho(t *testing.T) (*Guest, *echo) {
	g, e := &Guest{}, &echo{t: t}
	for h := abi.HookAuth; h < abi.HookIdle; h++ {
		g.Link(h)
	}
	g.Export(e)
	return g, e
}

// call hands a record to a hook by name and returns the verdict and the reply.
func call(g *Guest, hook string, rec []byte) (abi.Verdict, []byte) {
	copy(g.Mailbox(), rec)
	n := int32(len(rec))
	var raw int64
	switch hook {
	case "auth":
		raw = g.Auth(n)
	case "fs":
		raw = g.FS(n)
	case "event":
		raw = g.Event(n)
	case "list":
		raw = g.List(n)
	case "cmd":
		raw = g.Cmd(n)
	case "site":
		raw = g.Site(n)
	case "throttle":
		raw = g.Throttle(n)
	case "data":
		raw = g.Data(n)
	case "cert":
		raw = g.Cert(n)
	case "config":
		raw = g.Config(n)
	default:
		return abi.Verdict{Action: 98}, nil
	}
	v, err := abi.UnpackVerdict(uint64(raw))
	if err != nil {
		return abi.Verdict{Action: 99}, nil
	}
	return v, g.Mailbox()[:v.Len]
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRecordVectors shows every golden question to a policy, which must see all
// of it: what it saw is written again and must be the same bytes.
func TestRecordVectors(t *testing.T) {
	g, e := newEcho(t)
	for _, v := range vectors[struct{ Name, Hook, Record string }](t, "records.json") {
		got, reply := call(g, v.Hook, unhex(t, v.Record))
		if got != (abi.Verdict{}) {
			t.Errorf("%s: %+v %q", v.Name, got, reply)
		}
		if hex.EncodeToString(e.rec) != v.Record {
			t.Errorf("%s:\ngot  %x\nwant %s", v.Name, e.rec, v.Record)
		}
	}
}

func TestBadRecordVectors(t *testing.T) {
	for _, v := range vectors[struct{ Name, Hook, Record string }](t, "bad-records.json") {
		g, e := newEcho(t)
		if got, _ := call(g, v.Hook, unhex(t, v.Record)); got.Action != abi.Fail || e.rec != nil {
			t.Errorf("%s: %+v, and the policy was asked: %v", v.Name, got, e.rec != nil)
		}
	}
}

// TestReplyVectors lets a policy give every golden answer.
func TestReplyVectors(t *testing.T) {
	type vector struct{ Name, Hook, Verdict, Reply, Result string }
	questions := map[string][]byte{}
	for _, v := range vectors[struct{ Name, Hook, Record string }](t, "records.json") {
		questions[v.Hook] = unhex(t, v.Record)
	}
	g, e := newEcho(t)
	for _, v := range vectors[vector](t, "replies.json") {
		if v.Result != "ok" {
			continue // what this SDK never sends
		}
		raw, err := strconv.ParseUint(v.Verdict, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		verdict, err := abi.UnpackVerdict(raw)
		if err != nil {
			t.Fatal(err)
		}
		want := unhex(t, v.Reply)
		switch v.Hook {
		case "auth":
			e.id, err = abi.DecodeIdentity(verdict, want, true)
		case "list":
			e.view, err = abi.DecodeView(verdict, want, policy.MaxEntries, true)
		case "cmd":
			e.answer, err = abi.DecodeCommandAnswer(verdict, want, true)
		case "site":
			e.reply, err = abi.DecodeSiteReply(verdict, want, true)
		case "throttle":
			e.rate, err = abi.DecodeRate(verdict, want, true)
		case "data":
			e.piece, err = abi.DecodePiece(verdict, want, true)
		case "cert":
			e.answer, err = abi.DecodeCertAnswer(verdict, want, true)
		default:
			e.answer, err = abi.DecodeAnswer(verdict, want, true)
		}
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		got, reply := call(g, v.Hook, questions[v.Hook])
		if got != verdict || string(reply) != string(want) {
			t.Errorf("%s: got %+v %x, want %+v %x", v.Name, got, reply, verdict, want)
		}
	}
}

func TestFailures(t *testing.T) {
	rec, err := abi.AppendAction(nil, slot, &policy.Action{
		Meta: policy.Meta{Session: &policy.Session{ID: 1}}, Op: policy.OpRead, Path: "/a"})
	if err != nil {
		t.Fatal(err)
	}
	g, e := newEcho(t)
	tests := []struct {
		name string
		set  func()
		says string
	}{
		{"error of the policy", func() { e.err = errors.New("no\ntable") }, "no?table"},
		{"answer that cannot be sent", func() { e.err, e.answer.Text = nil, "a\nb" }, "not one line"},
		{"nothing exported", func() { g.fs = nil }, "nothing was given"},
	}
	for _, tt := range tests {
		tt.set()
		v, reply := call(g, "fs", rec)
		if v.Action != abi.Fail || !strings.Contains(string(reply), tt.says) {
			t.Errorf("%s: %+v %q", tt.name, v, reply)
		}
	}
	for _, n := range []int32{-1, 1 << 20} {
		if raw := g.FS(n); uint64(raw)>>16&0xff != uint64(abi.Fail) {
			t.Errorf("length %d: %x", n, raw)
		}
	}
	for h := abi.HookAuth; h < abi.HookIdle; h++ {
		if v, reply := call(&Guest{}, h.String(), rec); v.Action != abi.Fail || !strings.Contains(string(reply), "nothing was given") {
			t.Errorf("%s, a stage that nobody registered: %+v %q", h, v, reply)
		}
	}
}

func TestConfig(t *testing.T) {
	g := &Guest{}
	if v, _ := call(g, "config", nil); v != (abi.Verdict{}) {
		t.Errorf("no settings, nothing to take them: %+v", v)
	}
	if v, reply := call(g, "config", []byte("{}")); v.Action != abi.Fail || !strings.Contains(string(reply), "takes no settings") {
		t.Errorf("settings, nothing to take them: %+v %q", v, reply)
	}
	var got []byte
	g.SetConfigure(func(b []byte) error {
		got = b
		if string(b) == "bad" {
			return errors.New("I do not like it")
		}
		return nil
	})
	if v, _ := call(g, "config", []byte("good")); v != (abi.Verdict{}) || string(got) != "good" {
		t.Errorf("%+v, %q", v, got)
	}
	if v, reply := call(g, "config", []byte("bad")); v.Action != abi.Fail || !strings.Contains(string(reply), "do not like") {
		t.Errorf("%+v %q", v, reply)
	}
}

func TestRegisteringTwicePanics(t *testing.T) {
	g, e := newEcho(t)
	g.SetConfigure(func([]byte) error { return nil })
	for name, f := range map[string]func(){
		"auth": func() { g.SetAuth(e) }, "fs": func() { g.SetFS(e) }, "event": func() { g.SetEvent(e) },
		"list": func() { g.SetList(e) }, "cmd": func() { g.SetCmd(e) }, "site": func() { g.SetSite(e) },
		"throttle": func() { g.SetThrottle(e) }, "data": func() { g.SetData(e) }, "cert": func() { g.SetCert(e) },
		"export":    func() { g.Export(e) },
		"configure": func() { g.SetConfigure(func([]byte) error { return nil }) },
		"nil":       func() { (&Guest{}).SetFS(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestNoAllocation(t *testing.T) {
	rec, err := abi.AppendAction(nil, slot, &policy.Action{
		Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna"}}, Op: policy.OpRead, Path: "/a"})
	if err != nil {
		t.Fatal(err)
	}
	g := &Guest{}
	g.SetFS(deny{})
	n := testing.AllocsPerRun(100, func() {
		copy(g.Mailbox(), rec)
		if g.FS(int32(len(rec))) == 0 {
			t.Fatal("pass")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type deny struct{}

func (deny) Authorize(context.Context, *policy.Action) (policy.Answer, error) {
	return policy.Answer{Verdict: policy.Deny, Text: "no"}, nil
}
