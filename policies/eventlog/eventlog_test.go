package eventlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/logfile"
)

func event(kind policy.EventKind) *policy.Event {
	return &policy.Event{Kind: kind, Meta: policy.Meta{Request: 3, Time: time.Date(2026, 11, 26, 6, 0, 0, 5000, time.FixedZone("", 3600)),
		Session: &policy.Session{ID: 7, User: "anna", Peer: netip.MustParseAddrPort("[2001:db8::1]:4711"),
			Local: netip.MustParseAddrPort("192.0.2.9:21"), Listener: "main", TLS: policy.TLS{Version: "1.3"}}}}
}

func TestLine(t *testing.T) {
	for _, c := range []struct {
		change func(*policy.Event)
		kind   policy.EventKind
		want   string
	}{
		{func(e *policy.Event) {}, policy.EventLogin,
			`{"time":"2026-11-26T05:00:00.000005Z","event":"login","session":7,"request":3,"user":"anna","remote":"[2001:db8::1]:4711","local":"192.0.2.9:21","listener":"main","tls":"1.3"}`},
		{func(e *policy.Event) {
			e.Path, e.Op, e.Took, e.Code = "/a\nb", policy.OpWrite, 1500*time.Millisecond, 226
			e.DataPeer = netip.MustParseAddrPort("192.0.2.7:40002")
		}, policy.EventFileReceived,
			`{"time":"2026-11-26T05:00:00.000005Z","event":"file_received","session":7,"request":3,"user":"anna","remote":"[2001:db8::1]:4711","local":"192.0.2.9:21","listener":"main","tls":"1.3","op":"write","path":"/a\nb","bytes":0,"seconds":1.5,"data_peer":"192.0.2.7:40002","code":226}`},
		{func(e *policy.Event) {
			e.Text, e.Policy, e.Generation = "no", "guard", 2
			*e.Session = policy.Session{}
		}, policy.EventDenied,
			`{"time":"2026-11-26T05:00:00.000005Z","event":"denied","session":0,"request":3,"remote":"","text":"no","policy":"guard","generation":2}`},
	} {
		var out bytes.Buffer
		e := event(c.kind)
		c.change(e)
		l := New(&out)
		if err := l.Observe(context.Background(), e); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != c.want+"\n" {
			t.Errorf("got  %swant %s", got, c.want)
		}
	}
}

// TestHarmless: a line can be shown on a terminal, and means what it meant.
func TestHarmless(t *testing.T) {
	e := event(policy.EventCommandDone)
	e.Text = "CWD \x1b]0;x\x07\u009b31m\u202e\u2028\x7f\U000e0001 J\u00fcrgen \U0001f600 \"\\"
	var out bytes.Buffer
	if err := New(&out).Observe(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSuffix(out.String(), "\n")
	if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || !strings.Contains(line, "J\u00fcrgen \U0001f600") {
		t.Errorf("the line is %q", line)
	}
	var back Record
	if err := json.Unmarshal([]byte(line), &back); err != nil || back.Text != e.Text {
		t.Errorf("the text comes back as %q, %v", back.Text, err)
	}
}

// TestNames: the names of the fields are promised.
func TestNames(t *testing.T) {
	e := event(policy.EventFileSent)
	e.Session.Anon, e.Session.Group, e.Session.Host, e.Session.Client = true, "g", "h", "c"
	e.Path, e.Path2, e.Text, e.Op, e.Size, e.Took, e.Code, e.Policy, e.Generation = "/a", "/b", "t", policy.OpRead, 1, time.Second, 226, "p", 1
	e.DataPeer = netip.MustParseAddrPort("192.0.2.7:40002")
	text, err := json.Marshal(RecordOf(e))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"time", "event", "session", "request", "user", "anonymous", "group", "remote", "local", "listener", "host",
		"client", "tls", "op", "path", "path2", "bytes", "seconds", "data_peer", "code", "text", "policy", "generation"} {
		if !strings.Contains(string(text), `"`+name+`":`) {
			t.Errorf("%s is missing in %s", name, text)
		}
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	l.out.(*logfile.File).Now = func() time.Time { return now }
	write := func() {
		t.Helper()
		now = now.Add(time.Minute)
		if err := l.Observe(context.Background(), event(policy.EventConnect)); err != nil {
			t.Fatal(err)
		}
	}
	lines := func(path string) int {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(text, []byte("\n"))
	}
	write()
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write()
	write()
	if a, b := lines(path+".1"), lines(path); a != 1 || b != 2 {
		t.Errorf("%d and %d lines", a, b)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("others may look at it: %v, %v", info.Mode(), err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write()
	if n := lines(path); n != 1 {
		t.Errorf("%d lines after it was cut", n)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Observe(context.Background(), event(policy.EventConnect)); err == nil {
		t.Error("an event after Close was not lost")
	}
	if _, err := Open(filepath.Join(path, "x")); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file below a file: %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestErrorsAreTold(t *testing.T) {
	l := New(broken{})
	if err := l.Observe(context.Background(), event(policy.EventConnect)); err == nil {
		t.Error("a lost event is not an error")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
