package chain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// stager is a policy that does at the later stages what a test says.
type stager struct {
	list     func(*policy.Listing) (policy.View, error)
	command  func(*policy.Command) (policy.Answer, error)
	commands []policy.SiteCommand
	site     func(*policy.SiteCall) (policy.SiteReply, error)
	throttle func(*policy.Transfer) (policy.Rate, error)
	filter   func(*policy.Chunk) (policy.Piece, error)
	cert     func(*policy.CertRequest) (policy.Answer, error)
	tap      bool
	closed   int
}

func (s *stager) Name() string { return "stager" }

func (s *stager) Hooks() policy.Hooks {
	h := policy.Hooks{Tap: s.tap}
	if s.list != nil {
		h.Lister = s
	}
	if s.command != nil {
		h.Commander = s
	}
	if s.commands != nil {
		h.Site = s
	}
	if s.throttle != nil {
		h.Throttler = s
	}
	if s.filter != nil {
		h.Filter = s
	}
	if s.cert != nil {
		h.Certifier = s
	}
	return h
}

func (s *stager) List(_ context.Context, q *policy.Listing) (policy.View, error) { return s.list(q) }
func (s *stager) Command(_ context.Context, q *policy.Command) (policy.Answer, error) {
	return s.command(q)
}
func (s *stager) SiteCommands() []policy.SiteCommand { return s.commands }
func (s *stager) CallSite(_ context.Context, q *policy.SiteCall) (policy.SiteReply, error) {
	return s.site(q)
}
func (s *stager) Throttle(_ context.Context, q *policy.Transfer) (policy.Rate, error) {
	return s.throttle(q)
}
func (s *stager) Filter(_ context.Context, q *policy.Chunk) (policy.Piece, error) { return s.filter(q) }
func (s *stager) Certify(_ context.Context, q *policy.CertRequest) (policy.Answer, error) {
	return s.cert(q)
}
func (s *stager) Close() error { s.closed++; return nil }

var errFault = errors.New("a fault")

func meta() policy.Meta {
	return policy.Meta{Session: &policy.Session{ID: 1}, Request: 1, Time: time.Now()}
}

// lease holds one for the test.
func lease(t testing.TB, ps ...policy.Policy) chain.Lease {
	t.Helper()
	l := start(t, ps...).Lease(1)
	t.Cleanup(l.Release)
	return l
}

// told describes a denial in short.
func told(d *policy.Denial) string {
	switch {
	case d == nil:
		return "granted"
	case d.Failed:
		return d.Policy + " failed"
	case d.Hidden:
		return d.Policy + " hid"
	}
	return strings.TrimSpace(fmt.Sprintf("%s refused %d %s", d.Policy, d.Code, d.Text))
}

func views(v policy.View, err error) *stager {
	return &stager{list: func(*policy.Listing) (policy.View, error) { return v, err }}
}

func bits(is ...int) (b policy.Bits) {
	for _, i := range is {
		b.Set(i)
	}
	return b
}

func TestList(t *testing.T) {
	hides := func(is ...int) *stager { return views(policy.View{Hidden: bits(is...)}, nil) }
	for _, c := range []struct {
		name   string
		ps     []policy.Policy
		want   string
		hidden policy.Bits
	}{
		{"nobody", nil, "granted", policy.Bits{}},
		{"union", []policy.Policy{hides(0, 255), hides(), hides(3)}, "granted", bits(0, 3, 255)},
		{"allow", []policy.Policy{views(policy.View{Verdict: policy.Allow, Hidden: bits(1)}, nil)}, "granted", bits(1)},
		{"deny", []policy.Policy{hides(1), views(policy.View{Verdict: policy.Deny, Code: 553, Text: "no"}, nil), views(policy.View{}, errFault)}, "b refused 553 no", bits(1)},
		{"hide", []policy.Policy{views(policy.View{Verdict: policy.Hide}, nil)}, "a hid", policy.Bits{}},
		{"rewrite", []policy.Policy{views(policy.View{Verdict: policy.Rewrite}, nil)}, "a failed", policy.Bits{}},
		{"no verdict", []policy.Policy{views(policy.View{Verdict: 9}, nil)}, "a failed", policy.Bits{}},
		{"failure", []policy.Policy{hides(1), views(policy.View{}, errFault)}, "b failed", bits(1)},
	} {
		l := lease(t, c.ps...)
		hidden, d := l.List(context.Background(), &policy.Listing{Meta: meta(), Path: "/", Entries: make([]policy.Entry, 4)})
		if told(d) != c.want || hidden != c.hidden {
			t.Errorf("%s: %s, %v", c.name, told(d), hidden)
		}
		if l.Asks(policy.StageList) != (len(c.ps) > 0) || l.Asks(policy.StageCmd) || l.Asks(policy.StageFS) {
			t.Errorf("%s: Asks is wrong", c.name)
		}
	}
}

func TestCommand(t *testing.T) {
	says := func(v policy.Verdict, err error) *stager {
		return &stager{command: func(*policy.Command) (policy.Answer, error) {
			return policy.Answer{Verdict: v, Final: true, Text: "no"}, err
		}}
	}
	for _, c := range []struct {
		ps   []policy.Policy
		want string
	}{
		{nil, "granted"},
		{[]policy.Policy{says(policy.Pass, nil), says(policy.Allow, nil)}, "granted"},
		{[]policy.Policy{says(policy.Allow, nil), says(policy.Deny, nil)}, "b refused 0 no"}, // Final means nothing here
		{[]policy.Policy{says(policy.Hide, nil)}, "a refused 0 no"},
		{[]policy.Policy{says(policy.Rewrite, nil)}, "a failed"},
		{[]policy.Policy{says(policy.Allow, errFault)}, "a failed"},
	} {
		if d := lease(t, c.ps...).Command(context.Background(), &policy.Command{Meta: meta(), Verb: "NOOP"}); told(d) != c.want {
			t.Errorf("%d policies: %s, want %s", len(c.ps), told(d), c.want)
		}
	}
}

func TestCertify(t *testing.T) {
	says := func(v policy.Verdict, err error) *stager {
		return &stager{cert: func(q *policy.CertRequest) (policy.Answer, error) {
			return policy.Answer{Verdict: v, Code: 500, Text: q.Name}, err
		}}
	}
	for _, c := range []struct {
		ps   []policy.Policy
		want string
	}{
		{nil, "refused 0"},
		{[]policy.Policy{says(policy.Pass, nil)}, "refused 0"},
		{[]policy.Policy{says(policy.Pass, nil), says(policy.Allow, nil)}, "granted"},
		{[]policy.Policy{says(policy.Allow, nil), says(policy.Deny, nil)}, "b refused 0 a.test"},
		{[]policy.Policy{says(policy.Hide, nil), says(policy.Allow, nil)}, "a refused 0 a.test"},
		{[]policy.Policy{says(policy.Allow, nil), says(policy.Rewrite, nil)}, "b failed"},
		{[]policy.Policy{says(policy.Allow, nil), says(policy.Pass, errFault)}, "b failed"},
	} {
		if d := lease(t, c.ps...).Certify(context.Background(), &policy.CertRequest{Meta: meta(), Name: "a.test"}); told(d) != c.want {
			t.Errorf("%d policies: %s, want %s", len(c.ps), told(d), c.want)
		}
	}
	if d := (chain.Lease{}).Certify(context.Background(), &policy.CertRequest{Meta: meta()}); d == nil || !d.Failed {
		t.Errorf("no lease: %v", d)
	}
}

func site(verbs ...string) *stager {
	s := &stager{commands: []policy.SiteCommand{}}
	for _, v := range verbs {
		s.commands = append(s.commands, policy.SiteCommand{Verb: v, Help: "help of " + v})
	}
	s.site = func(q *policy.SiteCall) (policy.SiteReply, error) {
		return policy.SiteReply{Verdict: policy.Allow, Lines: []string{strings.Join(verbs, ",") + " did " + q.Verb}}, nil
	}
	return s
}

func TestSite(t *testing.T) {
	var log bytes.Buffer
	c, err := chain.New(chain.Config{Clean: clean, Log: slog.New(slog.NewTextHandler(&log, nil))}, slots(site("B", "A"), site("A", "C"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !strings.Contains(log.String(), `command="SITE A" policy=b used=a`) {
		t.Errorf("the log says nothing of a command that two policies have: %s", &log)
	}
	l := c.Lease(1)
	defer l.Release()
	var all []string
	for _, sc := range l.SiteCommands() {
		all = append(all, sc.Verb)
	}
	if strings.Join(all, " ") != "A B C" {
		t.Errorf("commands %v", all)
	}
	r, d := l.CallSite(context.Background(), &policy.SiteCall{Meta: meta(), Verb: "A"})
	if d != nil || r.Lines[0] != "B,A did A" {
		t.Errorf("SITE A: %v, %v", r, d)
	}
	if _, ok := l.Site("NONE"); ok {
		t.Error("a command that nobody has was found")
	}
	if r, d := l.CallSite(context.Background(), &policy.SiteCall{Meta: meta(), Verb: "NONE"}); d != nil || r.Verdict != policy.Pass {
		t.Errorf("SITE NONE: %v, %v", r, d)
	}
}

func TestSiteReplies(t *testing.T) {
	for _, c := range []struct {
		reply policy.SiteReply
		err   error
		code  int
		want  string
	}{
		{policy.SiteReply{Verdict: policy.Allow, Code: 211}, nil, 211, "granted"},
		{policy.SiteReply{Verdict: policy.Allow, Code: 550}, nil, 0, "granted"}, // no success looks like a refusal
		{policy.SiteReply{Verdict: policy.Deny, Code: 200, Lines: []string{"x", "y"}}, nil, 200, "a refused 0 x y"},
		{policy.SiteReply{Verdict: policy.Hide, Code: 450}, nil, 450, "a refused 450"},
		{policy.SiteReply{Verdict: policy.Rewrite}, nil, 0, "a failed"},
		{policy.SiteReply{Verdict: policy.Allow, Lines: make([]string, policy.MaxLines+1)}, nil, 0, "a failed"},
		{policy.SiteReply{}, errFault, 0, "a failed"},
	} {
		s := site("A")
		s.site = func(*policy.SiteCall) (policy.SiteReply, error) { return c.reply, c.err }
		r, d := lease(t, s).CallSite(context.Background(), &policy.SiteCall{Meta: meta(), Verb: "A"})
		if told(d) != c.want || r.Code != c.code {
			t.Errorf("%+v: %s, code %d", c.reply, told(d), r.Code)
		}
	}
}

// What cannot be declared keeps a policy out, in the beginning and at a swap, and
// leaves nothing running.
func TestSiteDeclarations(t *testing.T) {
	with := func(c policy.SiteCommand) *stager { return &stager{commands: []policy.SiteCommand{c}} }
	good := start(t, site("A"))
	for name, s := range map[string]*stager{
		"empty":      with(policy.SiteCommand{}),
		"lower case": with(policy.SiteCommand{Verb: "days"}),
		"two words":  with(policy.SiteCommand{Verb: "A B"}),
		"long":       with(policy.SiteCommand{Verb: "ABCDEFGHIJKLMNOPQ"}),
		"help":       with(policy.SiteCommand{Verb: "A", Help: "one\r\n200 two"}),
		"argument":   with(policy.SiteCommand{Verb: "A", Arg: "x\ny"}),
		"bytes":      with(policy.SiteCommand{Verb: "A", Help: "\xff"}),
		"permission": with(policy.SiteCommand{Verb: "A", Perm: ^policy.PermAll}),
		"twice":      site("A", "A"),
	} {
		s.tap, s.filter = true, func(*policy.Chunk) (policy.Piece, error) { return policy.Piece{}, nil }
		if _, err := chain.New(chain.Config{Clean: clean}, slots(site("A"), s)...); err == nil || !strings.Contains(err.Error(), `"b"`) {
			t.Errorf("%s: New says %v", name, err)
		}
		if n, err := good.Swap("a", s); err == nil {
			t.Errorf("%s: Swap returned %d", name, n)
		}
		if s.closed != 0 {
			t.Errorf("%s: a policy that was not taken was closed", name)
		}
	}
	if st := good.Status(); st[0].Generation != 1 {
		t.Errorf("the generation is %d after refused swaps", st[0].Generation)
	}
}
