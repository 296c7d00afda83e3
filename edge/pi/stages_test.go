package pi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// warden is a policy that does at each stage what a test says, and writes events
// down.
type warden struct {
	admitAll
	login    func(context.Context, *policy.Login) (policy.Identity, error)
	fs       func(context.Context, *policy.Action) (policy.Answer, error)
	list     func(*policy.Listing) (policy.View, error)
	command  func(*policy.Command) (policy.Answer, error)
	commands []policy.SiteCommand
	site     func(context.Context, *policy.SiteCall) (policy.SiteReply, error)
	throttle func(*policy.Transfer) (policy.Rate, error)
	filter   func(context.Context, *policy.Chunk) (policy.Piece, error)
	tap      bool

	mu     sync.Mutex
	asked  []string
	events []policy.Event
}

func (w *warden) Hooks() policy.Hooks {
	h := policy.Hooks{Authenticator: w, Observer: w, Tap: w.tap}
	if w.fs != nil {
		h.Authorizer = w
	}
	if w.list != nil {
		h.Lister = w
	}
	if w.command != nil {
		h.Commander = w
	}
	if w.commands != nil {
		h.Site = w
	}
	if w.throttle != nil {
		h.Throttler = w
	}
	if w.filter != nil {
		h.Filter = w
	}
	return h
}

// note writes a question down.
func (w *warden) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, fmt.Sprintf(format, args...))
}

// said returns what was written down since the last time.
func (w *warden) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := strings.Join(w.asked, ", ")
	w.asked = nil
	return out
}

func (w *warden) Authenticate(ctx context.Context, q *policy.Login) (policy.Identity, error) {
	if w.login != nil {
		return w.login(ctx, q)
	}
	return w.admitAll.Authenticate(ctx, q)
}

func (w *warden) Authorize(ctx context.Context, q *policy.Action) (policy.Answer, error) {
	return w.fs(ctx, q)
}

func (w *warden) List(_ context.Context, q *policy.Listing) (policy.View, error) {
	w.note("%s %d", q.Path, len(q.Entries))
	return w.list(q)
}

func (w *warden) Command(_ context.Context, q *policy.Command) (policy.Answer, error) {
	w.note("%s", strings.TrimSpace(q.Verb+" "+q.Arg))
	return w.command(q)
}

func (w *warden) SiteCommands() []policy.SiteCommand { return w.commands }

func (w *warden) CallSite(ctx context.Context, q *policy.SiteCall) (policy.SiteReply, error) {
	w.note("%s(%s) in %s", q.Verb, q.Arg, q.Dir)
	return w.site(ctx, q)
}

func (w *warden) Throttle(_ context.Context, q *policy.Transfer) (policy.Rate, error) {
	w.note("%v %s up %v size %d moved %d", q.Op, q.Path, q.Upload, q.Size, q.Moved)
	return w.throttle(q)
}

func (w *warden) Filter(ctx context.Context, q *policy.Chunk) (policy.Piece, error) {
	text := fmt.Sprintf("%v %s %d:%q", q.Op, q.Path, q.Offset, q.Data)
	if q.Last {
		text += " last"
	}
	w.note("%s", text)
	return w.filter(ctx, q)
}

func (w *warden) Observe(_ context.Context, e *policy.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, *e)
	return nil
}

// event returns the last event of a kind, after the chain was closed.
func (w *warden) event(kind policy.EventKind) policy.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.events) - 1; i >= 0; i-- {
		if w.events[i].Kind == kind {
			return w.events[i]
		}
	}
	return policy.Event{}
}

// wardens puts policies in force, named a, b and so on.
func wardens(t testing.TB, ws ...*warden) func(*Config) {
	return func(c *Config) {
		c.Chain.Close()
		var slots []chain.Slot
		for i, w := range ws {
			slots = append(slots, chain.Slot{Name: string(rune('a' + i)), Policy: w})
		}
		clean := func(s string) (string, error) {
			p, err := vfs.Clean(vfs.Root, s)
			return string(p), err
		}
		var err error
		if c.Chain, err = chain.New(chain.Config{Clean: clean}, slots...); err != nil {
			t.Fatal(err)
		}
	}
}

// conceals hides names that a pattern stands for.
func conceals(pattern string) func(*policy.Listing) (policy.View, error) {
	return func(q *policy.Listing) (v policy.View, _ error) {
		for i, e := range q.Entries {
			if ok, _ := path.Match(pattern, e.Name); ok {
				v.Hidden.Set(i)
			}
		}
		return v, nil
	}
}

func TestHiddenEntries(t *testing.T) {
	for line, want := range map[string]string{
		"LIST":            "a b e",
		"NLST":            "a b e",
		"MLSD":            "a b e",
		"LIST -a":         "a b e",
		"LIST -lt":        "e b a",
		"NLST *":          "a b e",
		"LIST /*":         "a b e",
		"NLST */*":        "e/y",
		"NLST */secret":   "550",
		"NLST */secret/*": "550",
		"NLST e/s*":       "550",
		"NLST -R":         "a b e e/y",
		"NLST */y":        "e/y",
		"NLST secret":     "secret/x", // by its name: that is the fs stage's
	} {
		w := &warden{list: conceals("s*")}
		b := newBench(t, wardens(t, w)).own().login()
		b.files("/a", "/b", "/secret/x", "/e/secret/z", "/e/y")
		lines, code, _ := b.listed(line)
		got := last(lines)
		if code != 226 {
			got = fmt.Sprint(code)
		}
		if strings.HasPrefix(line, "LIST -lt") {
			got, want = fmt.Sprint(len(lines)), "3"
		}
		if got != want {
			t.Errorf("%s: %q, want %q (asked %s)", line, got, want, w.said())
		}
		b.close()
	}
	w := &warden{list: conceals("s*")}
	b := newBench(t, wardens(t, w)).own().login()
	defer b.close()
	b.files("/a", "/secret")
	if r := b.do("STAT /", 212); len(r.Lines) != 3 || !strings.HasSuffix(r.Lines[1], " a") {
		t.Errorf("STAT shows %v", r)
	}
	b.do("MLST /secret", 250)
}

// A large directory is asked about in pieces, all of one question.
func TestHiddenEntriesOfMany(t *testing.T) {
	const n = 1000
	var numbers []uint64
	w := &warden{}
	w.list = func(q *policy.Listing) (policy.View, error) {
		numbers = append(numbers, q.Request)
		return conceals("f??1")(q)
	}
	b := newBench(t, wardens(t, w)).own().login()
	defer b.close()
	for i := range n {
		b.files(vfs.Path(fmt.Sprintf("/f%03d", i)))
	}
	lines, code, _ := b.listed("NLST")
	if code != 226 || len(lines) != n-n/10 {
		t.Errorf("%d lines, %d", len(lines), code)
	}
	if got := w.said(); got != "/ 256, / 256, / 256, / 232" {
		t.Errorf("it was asked %s", got)
	}
	for _, r := range numbers {
		if r != numbers[0] {
			t.Errorf("the questions have the numbers %v", numbers)
			break
		}
	}
}

// What a policy refuses to show at all is refused where the client has named it, and
// left out where not. A failure ends everything, and shows nothing of the entries.
func TestRefusedListings(t *testing.T) {
	for _, c := range []struct {
		line, at string
		view     policy.View
		err      error
		want     string
	}{
		{"LIST /d", "/d", policy.View{Verdict: policy.Deny, Code: 553, Text: "Not this."}, nil, "553 Not this. (ref 1-"},
		{"LIST /d", "/d", policy.View{Verdict: policy.Hide}, nil, "550 No such file"},
		{"LIST /d", "/d", policy.View{}, errors.New("a fault"), "451 That could not be decided and is refused (ref 1-"},
		{"STAT /d", "/d", policy.View{}, errors.New("a fault"), "451 That could not be decided"},
		{"NLST /d/*", "/d", policy.View{}, errors.New("a fault"), "451 That could not be decided"},
		{"NLST /*/*", "/d", policy.View{Verdict: policy.Deny}, nil, "/e/y"},
		{"NLST -R /", "/d", policy.View{Verdict: policy.Hide}, nil, "/d /e /e/y"},
		{"NLST -R /", "/d", policy.View{}, fmt.Errorf("a fault: %w", vfs.ErrNotDirectory), "451 That could not be decided"},
	} {
		w := &warden{list: func(q *policy.Listing) (policy.View, error) {
			if q.Path == c.at {
				return c.view, c.err
			}
			return policy.View{}, nil
		}}
		var log bytes.Buffer
		set := wardens(t, w)
		b := newBench(t, func(conf *Config) { set(conf); conf.Log = slog.New(slog.NewTextHandler(&log, nil)) }).own().login()
		b.files("/d/x", "/e/y")
		lines, code, text := b.listed(c.line)
		got := strings.Join(lines, " ")
		if code != 226 {
			got = text
		}
		if !strings.HasPrefix(got, c.want) || strings.Contains(strings.Join(lines, " "), "x") {
			t.Errorf("%s, %+v: %q, want %q", c.line, c.view, got, c.want)
		}
		b.close()
		if code != 226 && (!strings.Contains(log.String(), "stage=list") || !strings.Contains(log.String(), "policy=a policy_gen=1")) {
			t.Errorf("%s, %+v: the log has %s", c.line, c.view, &log)
		}
	}
}

func TestCommandStage(t *testing.T) {
	w := &warden{}
	refuse := map[string]policy.Answer{
		"SYST":       {Verdict: policy.Deny, Code: 502, Text: "Not for you."},
		"PWD":        {Verdict: policy.Hide},
		"SITE CHMOD": {Verdict: policy.Deny},
		"QUIT":       {Verdict: policy.Deny},
		"ABOR":       {Verdict: policy.Deny},
	}
	w.command = func(q *policy.Command) (policy.Answer, error) {
		if q.Verb == "FEAT" {
			return policy.Answer{}, errors.New("a fault")
		}
		return refuse[q.Verb], nil
	}
	b := newBench(t, wardens(t, w)).own()
	b.must(b.client.Login("dev", "secret"))
	if got := w.said(); got != "USER dev, PASS" {
		t.Errorf("it was asked %s", got)
	}
	if r := b.do("SYST", 502); !strings.HasPrefix(r.Text(), "Not for you. (ref 1-") {
		t.Errorf("SYST: %v", r)
	}
	b.do("FEAT", 451)
	b.do("PWD", 550)
	b.do("SITE chmod 644 /x y", 550)
	b.do("OPTS utf8 on", 200)
	b.do("NOOP nothing", 501) // not in order
	b.do("RNTO x", 503)
	b.do("ABOR", 225)
	if got, want := w.said(), "SYST, FEAT, PWD, SITE CHMOD 644 /x y, OPTS utf8 on"; got != want {
		t.Errorf("it was asked %s, want %s", got, want)
	}
	b.do("QUIT", 221)
	b.close()
	if e := w.event(policy.EventDenied); e.Policy != "a" || e.Code != 550 || e.Op != 0 {
		t.Errorf("the event is %+v", e)
	}
}

// Before the login a refusal is 530, and neither the directory nor a password is
// told.
func TestCommandStageBeforeLogin(t *testing.T) {
	w := &warden{}
	w.command = func(q *policy.Command) (policy.Answer, error) {
		if q.Dir != "" || q.Verb == "PASS" && q.Arg != "" {
			t.Errorf("it was told %q of %s in %q", q.Arg, q.Verb, q.Dir)
		}
		switch q.Verb {
		case "NOOP":
			return policy.Answer{}, errors.New("a fault")
		case "PASS":
			return policy.Answer{Verdict: policy.Deny}, nil
		}
		return policy.Answer{}, nil
	}
	b := newBench(t, wardens(t, w)).own()
	defer b.close()
	b.expect("the greeting", 220)
	b.do("NOOP", 451)
	b.do("USER dev", 331)
	b.do("PASS secret", 530)
	b.do("PWD", 530)
	if got := w.said(); got != "NOOP, USER dev, PASS" {
		t.Errorf("it was asked %s", got)
	}
}

// Beside a transfer nobody is asked, so that a policy cannot keep it from being
// stopped.
func TestCommandStageBesideTransfer(t *testing.T) {
	w := &warden{command: func(q *policy.Command) (policy.Answer, error) {
		if q.Verb == "NOOP" || q.Verb == "STAT" {
			return policy.Answer{Verdict: policy.Deny}, nil
		}
		return policy.Answer{}, nil
	}}
	b := newBench(t, wardens(t, w)).own().login()
	defer b.close()
	b.do("NOOP", 550)
	b.begin("STOR /f")
	w.said()
	b.do("NOOP", 200)
	b.do("STAT", 211)
	b.do("ABOR", 426)
	b.expect("the reply to ABOR", 226)
	if got := w.said(); got != "" {
		t.Errorf("it was asked %s", got)
	}
}

func TestSiteStage(t *testing.T) {
	w := &warden{commands: []policy.SiteCommand{
		{Verb: "DAYS", Perm: policy.PermRead, Arg: "[days]", Help: "how long files stay"},
		{Verb: "CHMOD", Help: "never seen"},
	}}
	replies := map[string]policy.SiteReply{
		"one":  {Verdict: policy.Allow, Lines: []string{"Seven."}},
		"many": {Verdict: policy.Allow, Code: 211, Lines: []string{"Of files:", "7\r\n220 x", "End"}},
		"none": {Verdict: policy.Allow},
		"no":   {Verdict: policy.Deny, Code: 552, Lines: []string{"Too many.", "Really."}},
		"hide": {Verdict: policy.Hide},
	}
	w.site = func(_ context.Context, q *policy.SiteCall) (policy.SiteReply, error) {
		if q.Arg == "fail" {
			return policy.SiteReply{}, errors.New("a fault")
		}
		return replies[q.Arg], nil
	}
	b := newBench(t, wardens(t, w)).own()
	defer b.close()
	b.expect("the greeting", 220)
	b.do("SITE DAYS one", 530)
	b.do("SITE OTHER", 500)
	b.do("USER dev", 331)
	b.do("PASS secret", 230)
	b.do("CWD /", 250)
	for line, want := range map[string]string{
		"SITE DAYS one":          "200 Seven.",
		"site  days many":        "211-Of files:\n 7??220 x\n211 End",
		"SITE Days none":         "200 It was carried out.",
		"SITE DAYS":              "502 SITE DAYS is not carried out here.",
		"SITE DAYS no":           "552-Too many.\n552 Really. (ref 1-",
		"SITE DAYS hide":         "550 That is not permitted (ref 1-",
		"SITE DAYS fail":         "451 That could not be decided",
		"SITE DAYS  two  spaces": "502",
		"SITE CHMOD 644":         "501",
		"SITE HELP DAYS":         "214 SITE DAYS [days]: how long files stay",
		"SITE HELP days":         "214 SITE DAYS [days]: how long files stay",
		"HELP SITE DAYS":         "214 SITE DAYS [days]: how long files stay",
		"HELP DAYS":              "501",
		"SITE NONE":              "500",
	} {
		r, err := b.client.Do(line)
		b.must(err)
		if !strings.HasPrefix(r.String(), want) {
			t.Errorf("%s: %q, want %q", line, r, want)
		}
	}
	if got := w.said(); !strings.Contains(got, "DAYS( two  spaces) in /") {
		t.Errorf("it was asked %s", got)
	}
	for _, line := range []string{"SITE HELP", "HELP SITE"} {
		if r := b.do(line, 214); !strings.Contains(r.String(), "DAYS [days]: how long files stay") || strings.Contains(r.String(), "never seen") {
			t.Errorf("%s: %v", line, r)
		}
	}
	if r := b.do("SITE HELP CHMOD", 214); strings.Contains(r.String(), "never seen") {
		t.Errorf("a command of the server's was replaced: %v", r)
	}
}

// A SITE command's permission is that in the working directory.
func TestSiteStagePermission(t *testing.T) {
	read, none := policy.Perms(policy.PermReadOnly), policy.Perms(policy.PermCwd)
	w := &warden{commands: []policy.SiteCommand{{Verb: "DAYS", Perm: policy.PermRead}}}
	w.login = func(context.Context, *policy.Login) (policy.Identity, error) {
		return policy.Identity{Verdict: policy.Allow, Perms: &read, Rules: []policy.PathRule{{Dir: "/d", Perms: none}}}, nil
	}
	w.site = func(context.Context, *policy.SiteCall) (policy.SiteReply, error) {
		return policy.SiteReply{Verdict: policy.Allow}, nil
	}
	b := newBench(t, wardens(t, w)).own().login()
	defer b.close()
	b.files("/d/x")
	b.do("SITE DAYS", 200)
	b.do("CWD /d", 250)
	if r := b.do("SITE DAYS", 550); !strings.Contains(r.Text(), "You have no permission for that. (ref 1-") {
		t.Errorf("it was refused with %v", r)
	}
}
