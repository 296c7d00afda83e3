package wasmhost

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Lines of a guest go through Config.Redact with what the question was about, and no further than that.
func TestRedact(t *testing.T) {
	var out bytes.Buffer
	var about []Subject
	h := newHost(t, Config{Budgets: patient(), Log: slog.New(slog.NewTextHandler(&out, nil)), Redact: func(line string, s Subject) string {
		about = append(about, s)
		return strings.ReplaceAll(strings.ReplaceAll(line, s.Session.User, "~user"), "/in/a\x01b", "~path")
	}})
	p := load(t, h, "says")
	who := &policy.Session{ID: 7, User: "anna", Peer: netip.MustParseAddrPort("192.0.2.7:4711")}
	a := &policy.Action{Meta: policy.Meta{Session: who, Request: 1, Time: time.Unix(1_700_000_000, 0)}, Op: policy.OpRead, Path: "/in/a\x01b", Arg: "a b"}
	if _, err := p.Hooks().Authorizer.Authorize(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "anna") || !strings.Contains(text, "msg=~user") || !strings.Contains(text, "msg=~path") || !strings.Contains(text, `msg="a b"`) ||
		!strings.Contains(text, "192.0.2.7:4711") || strings.Count(text, "policy=says") != 4 {
		t.Errorf("%s", text)
	}
	for _, s := range about {
		if s.Session.User != "anna" || s.Paths[0] != a.Path || s.Arguments[0] != "a b" {
			t.Errorf("%+v", s)
		}
	}
	in, _ := p.pool.quick()
	p.pool.give(in)
	if in == nil || in.call.about != nil {
		t.Error("an instance remembers what it was asked about")
	}
}

// Every question tells what must not stand in a line.
func TestSubjects(t *testing.T) {
	m := policy.Meta{Session: &policy.Session{User: "anna"}}
	for name, c := range map[string]struct {
		q    any
		want Subject
	}{
		"nothing":  {nil, Subject{}},
		"login":    {&policy.Login{Meta: m, Password: "secret"}, Subject{Session: m.Session}},
		"action":   {&policy.Action{Meta: m, Path: "/a", Path2: "/b", Arg: "a"}, Subject{m.Session, []string{"/a", "/b"}, []string{"a"}}},
		"listing":  {&policy.Listing{Meta: m, Path: "/in", Entries: []policy.Entry{{Name: "x"}, {Name: "y"}}}, Subject{m.Session, []string{"/in", "x", "y"}, nil}},
		"command":  {&policy.Command{Meta: m, Verb: "SITE CHMOD", Arg: "600 a", Dir: "/in"}, Subject{m.Session, []string{"/in"}, []string{"600 a"}}},
		"site":     {&policy.SiteCall{Meta: m, Verb: "X", Arg: "a", Dir: "/in"}, Subject{m.Session, []string{"/in"}, []string{"a"}}},
		"transfer": {&policy.Transfer{Meta: m, Path: "/a"}, Subject{m.Session, []string{"/a"}, nil}},
		"chunk":    {&policy.Chunk{Meta: m, Path: "/a", Data: []byte("secret")}, Subject{m.Session, []string{"/a"}, nil}},
		"event":    {&policy.Event{Meta: m, Kind: policy.EventFileSent, Path: "/a", Path2: "/b", Text: "some text"}, Subject{m.Session, []string{"/a", "/b"}, nil}},
		"command's event": {&policy.Event{Meta: m, Kind: policy.EventCommandDone, Text: "RETR a b"},
			Subject{m.Session, []string{"", ""}, []string{"a b"}}},
		"certificate": {&policy.CertRequest{Meta: m, Name: "ftp.example.org"}, Subject{}},
	} {
		call := callState{hook: abi.HookFS, about: c.q}
		if diff := cmp.Diff(c.want, call.subject(), cmpopts.IgnoreUnexported(policy.Session{}), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
