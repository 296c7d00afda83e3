package accesslog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/policies/accesslog"
)

// The policy is what it says it is.
var (
	_ policy.Policy   = (*accesslog.Log)(nil)
	_ policy.Observer = (*accesslog.Log)(nil)
)

func event(kind policy.EventKind) *policy.Event {
	return &policy.Event{
		Meta: policy.Meta{Session: &policy.Session{ID: 5, User: "anna", Peer: netip.MustParseAddrPort("192.0.2.7:40001")},
			Time: time.Date(2026, 11, 26, 13, 0, 1, 0, time.FixedZone("", 3600))},
		Kind: kind, Op: policy.OpRead, Path: "/pub/a file.txt", Size: 1234, Took: 2100 * time.Millisecond, Code: 226,
	}
}

func TestLines(t *testing.T) {
	download := event(policy.EventFileSent)
	cut := event(policy.EventIncompleteFileReceived)
	cut.Op, cut.Code, cut.Text, cut.Took = policy.OpAppend, 426, "the client has left", 499*time.Millisecond
	s := *cut.Session
	s.Anon, s.ASCII, s.Listener, s.Group, s.TLS.Version = true, true, "public", "guests", "1.3"
	s.User, s.Peer = "anonymous", netip.MustParseAddrPort("[::ffff:192.0.2.7]:1")
	cut.Session = &s
	odd := event(policy.EventFileReceived)
	odd.Op, odd.Path = policy.OpWrite, "/ä\"\\\n\x1b[0m\xff \u202e\U000e0001"
	odd.Session = &policy.Session{User: "a b"}
	command := event(policy.EventCommandDone)
	command.Text, command.Path, command.Code, command.Op = "NOOP \"x", "", 200, 0
	for _, c := range []struct {
		event                 *policy.Event
		xferlog, common, json string
	}{
		{download, `Thu Nov 26 12:00:01 2026 2 192.0.2.7 1234 /pub/a_file.txt b _ o r anna ftp 0 * c`,
			`192.0.2.7 - anna [26/Nov/2026:12:00:01 +0000] "GET /pub/a%20file.txt FTP" 226 1234`,
			`{"time":"2026-11-26T12:00:01Z","event":"file_sent","session":5,"remote":"192.0.2.7:40001","user":"anna","op":"read",` +
				`"path":"/pub/a file.txt","bytes":1234,"seconds":2.1,"complete":true,"code":226}`},
		{cut, `Thu Nov 26 12:00:01 2026 1 192.0.2.7 1234 /pub/a_file.txt a _ i a anonymous ftp 0 * i`,
			`192.0.2.7 - anonymous [26/Nov/2026:12:00:01 +0000] "PUT /pub/a%20file.txt FTPS" 426 1234`,
			`{"time":"2026-11-26T12:00:01Z","event":"incomplete_file_received","session":5,"remote":"[::ffff:192.0.2.7]:1","user":"anonymous",` +
				`"anonymous":true,"group":"guests","listener":"public","tls":"1.3","op":"append","path":"/pub/a file.txt",` +
				`"bytes":1234,"seconds":0.499,"complete":false,"code":426,"text":"the client has left"}`},
		{odd, `Thu Nov 26 12:00:01 2026 2 - 1234 /ä"\__[0m____ b _ i r a_b ftp 0 * c`,
			`- - a\x20b [26/Nov/2026:12:00:01 +0000] "PUT /%C3%A4%22%5C%0A%1B[0m%FF%20%E2%80%AE%F3%A0%80%81 FTP" 226 1234`,
			`{"time":"2026-11-26T12:00:01Z","event":"file_received","session":0,"user":"a b","op":"write",` +
				`"path":"/ä\"\\\u000a\u001b[0m` + "\ufffd" + ` \u202e\udb40\udc01","bytes":1234,"seconds":2.1,"complete":true,"code":226}`},
		{command, "", `192.0.2.7 - anna [26/Nov/2026:12:00:01 +0000] "NOOP \x22x FTP" 200 -`,
			`{"time":"2026-11-26T12:00:01Z","event":"command_done","session":5,"remote":"192.0.2.7:40001","user":"anna","code":200,"text":"NOOP \"x"}`},
		{event(policy.EventLogin), "", "", ""},
	} {
		for format, want := range map[accesslog.Format]string{accesslog.Xferlog: c.xferlog, accesslog.Common: c.common, accesslog.JSON: c.json, "other": ""} {
			line, ok := format.Append([]byte("> "), c.event)
			if got := string(line); got != "> "+want || ok != (want != "") {
				t.Errorf("%s, %s:\n%s\nwant\n> %s", c.event.Kind, format, got, want)
			}
		}
	}
}

// FuzzLines: whatever a client sends, a line is one line, steers no terminal, and
// has the number of fields that it should have; JSON says what was given.
func FuzzLines(f *testing.F) {
	f.Add("/a b", "anna", "STOR x")
	f.Add("/\xff\n\r\x00\"\\ \u2028\u202e\U000e0001", "a\tb\u00a0c\u3000", "\x1b[2J")
	f.Fuzz(func(t *testing.T, path, user, text string) {
		e := event(policy.EventFileReceived)
		s := *e.Session
		s.User, e.Session, e.Path, e.Text = user, &s, path, text
		for _, format := range []accesslog.Format{accesslog.Xferlog, accesslog.Common, accesslog.JSON} {
			line, ok := format.Append(nil, e)
			if !ok || !utf8.Valid(line) || strings.ContainsFunc(string(line), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", format, line)
			}
		}
		line, _ := accesslog.Xferlog.Append(nil, e)
		if fields := strings.Fields(string(line)); len(fields) != 18 {
			t.Errorf("%d fields: %s", len(fields), line)
		}
		line, _ = accesslog.Common.Append(nil, e)
		if n := bytes.Count(line, []byte{'"'}); n != 2 || len(strings.Fields(strings.Split(string(line), `"`)[0])) != 5 {
			t.Errorf("%d quotes: %s", n, line)
		}
		line, _ = accesslog.JSON.Append(nil, e)
		var got struct{ User, Path, Text string }
		if err := json.Unmarshal(line, &got); err != nil || utf8.ValidString(user) && got.User != user ||
			utf8.ValidString(path) && got.Path != path || utf8.ValidString(text) && got.Text != text {
			t.Errorf("%v: %s", err, line)
		}
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l, err := accesslog.Open(path, accesslog.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []policy.EventKind{policy.EventFileSent, policy.EventCommandDone, policy.EventLogin, policy.EventFileReceived} {
		if err := l.Observe(t.Context(), event(kind)); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(path)
	if n := bytes.Count(text, []byte(" c\n")); err != nil || n != 2 || bytes.Count(text, []byte("\n")) != 2 {
		t.Errorf("%v: %s", err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Observe(t.Context(), event(policy.EventFileSent)); err == nil {
		t.Error("an event after Close was not lost")
	}
	if _, err := accesslog.Open(filepath.Join(path, "x"), accesslog.Config{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file below a file: %v", err)
	}
	if _, err := accesslog.Open(path, accesslog.Config{Format: "x"}); err == nil {
		t.Error("an unknown format")
	}
}

func TestConfig(t *testing.T) {
	sink := func([]byte) error { return errors.New("full") }
	for want, config := range map[string]accesslog.Config{
		"something to write to": {},
		`not "yaml"`:            {Format: "yaml", Sink: sink},
		"no form for commands":  {Commands: true, Sink: sink},
	} {
		if l, err := accesslog.New(config); l != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", want, l, err)
		}
	}
	l, err := accesslog.New(accesslog.Config{Name: "mine", Format: accesslog.JSON, Commands: true, Sink: sink})
	if err != nil || l.Name() != "mine" || len(l.Hooks().Interest.Events) != 5 {
		t.Fatalf("%v", err)
	}
	if err := l.Observe(t.Context(), event(policy.EventCommandDone)); err == nil {
		t.Error("a lost line is not an error")
	}
	trial := event(policy.EventCommandDone)
	trial.Shadow = true
	if err := l.Observe(t.Context(), trial); err != nil {
		t.Errorf("a trial writes: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestConformance(t *testing.T) {
	for _, format := range []accesslog.Format{accesslog.Xferlog, accesslog.Common, accesslog.JSON} {
		policytest.TestPolicy(t, func(t *testing.T) policy.Policy {
			l, err := accesslog.Open(filepath.Join(t.TempDir(), "log"), accesslog.Config{Format: format, Commands: format != accesslog.Xferlog})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}, policytest.Case{Event: event(policy.EventFileSent)})
	}
}
