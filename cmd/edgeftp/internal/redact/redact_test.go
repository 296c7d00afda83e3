package redact

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// session logs as a session does, and returns the lines.
func session(fields ...string) string {
	var b bytes.Buffer
	log := slog.New(New(fields).Handler(slog.NewTextHandler(&b, nil))).With("user", "anna", "remote", "192.0.2.7:4711")
	log.Info("transfer done", "path", "/in/a b", "bytes", 5)
	log.Info("refused", "path", "/in/a b", "path2", "/in/to")
	log.Info("anna is in", "peer", netip.MustParseAddr("192.0.2.7"), "home", "/home")
	log.Warn("it failed", "path", "/in/a b", "error", &fs.PathError{Op: "open", Path: "in/a b", Err: errors.New("no room for /in/a b")})
	log.Warn("it failed", "error", &os.LinkError{Op: "rename", Old: "one/two", New: "three/four", Err: errors.New("why")})
	log.Debug("never")
	log.Info("command", "command", "RETR", "argument", "/in/a b", "reason", "anna at 192.0.2.7:4711, of susanna")
	log.WithGroup("g").Info("banned", "address", "192.0.2.0/24", "reason", "/")
	return b.String()
}

// What is redacted stands nowhere, neither in its field nor in a text; what is not stays.
func TestHandler(t *testing.T) {
	all := map[string][]string{User: {"anna is", "=anna", "anna at"}, Peer: {"192.0.2"}, Path: {"in/a b", "/home", "one/two", "three/four", "/in/to"}}
	for _, fields := range [][]string{nil, {User}, {Peer}, {Path}, {User, Peer, Path}} {
		text := session(fields...)
		for field, words := range all {
			redacted := strings.Contains(strings.Join(fields, " "), field)
			for _, w := range words {
				if w == "in/a b" && !redacted { // the argument is also that of commands with users
					continue
				}
				if strings.Contains(text, w) == redacted {
					t.Errorf("%q: %q, in\n%s", fields, w, text)
				}
			}
		}
		if !strings.Contains(text, "susanna") || !strings.Contains(text, "bytes=5") || !strings.Contains(text, "RETR") {
			t.Errorf("%q: too much is gone:\n%s", fields, text)
		}
	}
}

// The same value has the same sum in one run, in every log, and another one in the next.
func TestSums(t *testing.T) {
	a, b := New([]string{User, Peer, Path}), New([]string{User})
	if x := a.name(User, "anna"); x != a.name(User, "anna") || x == a.name(User, "ann") || x == a.name(Path, "anna") || x == b.name(User, "anna") || len(x) != 13 {
		t.Errorf("%s", x)
	}
	e := event()
	if got := a.Event(e).Session.Peer; got.String() != a.addresses(e.Session.Peer.String()) || !got.Addr().IsPrivate() || got.Port() != 0 {
		t.Errorf("%v", got)
	}
	if a.address(netip.MustParseAddr("::ffff:192.0.2.7")) != a.address(netip.MustParseAddr("192.0.2.7")) {
		t.Error("an address has two sums")
	}
}

func event() *policy.Event {
	return &policy.Event{Kind: policy.EventDenied, Path: "/in/a", Path2: "/in/b", Text: "anna may not have /in/a from 192.0.2.7",
		Meta: policy.Meta{Session: &policy.Session{ID: 4, User: "anna", Group: "staff", Peer: netip.MustParseAddrPort("192.0.2.7:4711")}}}
}

// A client that moves has had an address before, and data connections have some too.
func TestAddresses(t *testing.T) {
	e := event()
	e.Kind, e.Text, e.DataPeer = policy.EventClientMoved, "192.0.2.8:4712", netip.MustParseAddrPort("192.0.2.9:4713")
	r := New([]string{Peer})
	got := r.Event(e)
	if got.Text != r.addresses("192.0.2.8:4712") || got.DataPeer.Addr() != r.address(e.DataPeer.Addr()) || got.DataPeer.Port() != 0 {
		t.Errorf("%q, %v", got.Text, got.DataPeer)
	}
	if got := New([]string{User}).Event(e); got.Text != e.Text || got.DataPeer != e.DataPeer {
		t.Errorf("names alone: %q, %v", got.Text, got.DataPeer)
	}
	e.Kind, e.Text = policy.EventDenied, "no bytes to 192.0.2.9:4713"
	if got := r.Event(e); strings.Contains(got.Text, "192.0") {
		t.Errorf("%q", got.Text)
	}
}

// Events lose the same, and the one that others have stays as it is.
func TestEvent(t *testing.T) {
	e := event()
	got := New([]string{User, Peer, Path}).Event(e)
	if got.Session.Group != "staff" || got.Session.ID != 4 || got.Kind != e.Kind {
		t.Errorf("%+v", got)
	}
	for _, text := range []string{got.Session.User, got.Path, got.Path2, got.Text, got.Session.Peer.String()} {
		if text == "" || strings.Contains(text, "anna") || strings.Contains(text, "/in/") || strings.Contains(text, "192.0") {
			t.Errorf("%q", text)
		}
	}
	if e.Session.User != "anna" || e.Path != "/in/a" || !strings.Contains(e.Text, "anna") {
		t.Errorf("the event itself has changed: %+v", e)
	}
	e.Kind, e.Text = policy.EventCommandDone, "SITE CHMOD 600 /else"
	if got := New([]string{Path}).Event(e); got.Text != "SITE" || got.Session.User != "anna" {
		t.Errorf("%+v", got)
	}
	if got := New([]string{Peer}).Event(e); got.Text != e.Text || got.Path != e.Path {
		t.Errorf("%+v", got)
	}
	if (*Redactor)(nil).Event(e) != e || New(nil) != nil {
		t.Error("nothing is redacted, and something is")
	}
}

func FuzzWithin(f *testing.F) {
	f.Add("anna and susanna", "anna")
	f.Fuzz(func(t *testing.T, text, was string) {
		if got := (values{}).with(was, "~1").within(text); len(was) > 0 && strings.HasPrefix(text, was+" ") && was != "/" && strings.HasPrefix(got, was+" ") && was != "~1" {
			t.Errorf("%q without %q is %q", text, was, got)
		}
	})
}

// A text that others have made loses what it has of a session, of paths and of arguments, the last names of paths
// among them; what is not to go, and what only looks like it, stays.
func TestText(t *testing.T) {
	who := event().Session
	const text = "stored /in/payroll.csv and payroll.csv, from anna of susanna at 192.0.2.7, by SITE CP payroll.csv /in; /in2 stays"
	paths, arguments := []string{"/in/payroll.csv", "", "/in"}, []string{"payroll.csv /in"}
	for _, fields := range [][]string{{User}, {Peer}, {Path}, {User, Peer, Path}} {
		got := New(fields).Text(text, who, paths, arguments)
		for field, words := range map[string][]string{User: {"from anna"}, Peer: {"192.0.2"}, Path: {"payroll", "/in/", "/in;"}} {
			redacted := strings.Contains(strings.Join(fields, " "), field)
			for _, w := range words {
				if w == "/in;" && !redacted {
					continue // it was part of an argument, which goes with users as well
				}
				if strings.Contains(got, w) == redacted {
					t.Errorf("%q: %q, in %s", fields, w, got)
				}
			}
		}
		if !strings.Contains(got, "susanna") || !strings.Contains(got, "/in2 stays") {
			t.Errorf("%q: too much is gone: %s", fields, got)
		}
	}
	if got := New([]string{Path}).Text("of nobody: /a", nil, []string{"/a", "/", "."}, nil); strings.Contains(got, "/a") || !strings.Contains(got, "nobody") {
		t.Errorf("%s", got)
	}
	if got := (*Redactor)(nil).Text(text, who, paths, arguments); got != text {
		t.Errorf("%s", got)
	}
}
