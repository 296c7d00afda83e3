package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// events reads an event log.
func events(t *testing.T, path string) (list []map[string]any) {
	t.Helper()
	for line := range strings.Lines(string(must(os.ReadFile(path))(t))) {
		var e map[string]any
		ok(t, json.Unmarshal([]byte(line), &e))
		list = append(list, e)
	}
	return list
}

// of returns the names of a session's events, without command_done.
func of(list []map[string]any, session float64) (names []string) {
	for _, e := range list {
		if e["session"] == session && e["event"] != "command_done" {
			names = append(names, e["event"].(string))
		}
	}
	return names
}

// one returns the one event of a name.
func one(t *testing.T, list []map[string]any, name string) map[string]any {
	t.Helper()
	var found []map[string]any
	for _, e := range list {
		if e["event"] == name {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d events %s", len(found), name)
	}
	return found[0]
}

// What a session does is in the event log, once and in order.
func TestSettingEvents(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, listener()+"events: { file: events.json }\nlimits: { logins: { delay_after_failure: 0 } }\n")
	c := s.dial(t)
	c.want(t, "USER dev", 331)
	c.want(t, "PASS wrong", 530)
	ok(t, c.Identify("dev", secret))
	c.want(t, "TYPE I", 200)
	c.put(t, "STOR a", strings.NewReader("content"))
	c.get(t, "RETR a")
	c.want(t, "MKD d", 257)
	c.want(t, "RNFR a", 350)
	c.want(t, "RNTO d/b", 250)
	c.want(t, "DELE d/b", 250)
	c.want(t, "RMD d", 250)
	conn := c.begin(t, "STOR half")
	_, err := conn.Write([]byte("12"))
	ok(t, err)
	ok(t, userpi.Reset(conn))
	_, err = c.Expect("a cut upload", 426, 451)
	ok(t, err)
	c.want(t, "QUIT", 221)
	ok(t, c.Closed())
	s.stop(t)
	list := events(t, p.out("events.json"))
	want := []string{"connect", "login_failed", "login", "file_received", "file_sent", "dir_created", "file_renamed", "file_deleted",
		"dir_removed", "incomplete_file_received", "logout", "disconnect"}
	if got := of(list, 1); !slices.Equal(got, want) {
		t.Errorf("the events are %q, want %q", got, want)
	}
	up := one(t, list, "file_received")
	for field, want := range map[string]any{"path": "/a", "bytes": 7.0, "user": "dev", "listener": "main", "op": "write"} {
		if up[field] != want {
			t.Errorf("%s of file_received is %v, want %v", field, up[field], want)
		}
	}
	for _, field := range []string{"time", "remote", "local", "seconds", "request", "data_peer"} {
		if up[field] == nil {
			t.Errorf("file_received has no %s: %v", field, up)
		}
	}
	if e := one(t, list, "file_renamed"); e["path"] != "/a" || e["path2"] != "/d/b" {
		t.Errorf("file_renamed: %v", e)
	}
	if e := one(t, list, "login_failed"); e["user"] != "dev" {
		t.Errorf("login_failed: %v", e)
	}
	if text := string(must(os.ReadFile(p.out("events.json")))(t)); strings.Contains(text, secret) || strings.Contains(text, "wrong") {
		t.Errorf("a password is in the log:\n%s", text)
	}
}

func TestSettingName(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	file := p.file(t, listener())
	text := strings.Replace(string(must(os.ReadFile(file))(t)), "instance: {", "instance: { name: fra-1,", 1)
	ok(t, os.WriteFile(file, []byte(text), 0o600))
	s := startServer(t, p, "--config", file)
	s.expect(t, `"instance":"fra-1"`, `"msg":"ready"`)
	s.stop(t)
}

// The flag wins over the file, and both go with a log that is moved away.
func TestSettingEventsFlag(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, listener()+"events: { file: not-this.json }\n", "--events", "this.json")
	s.login(t).want(t, "QUIT", 221)
	until(t, "the session is in the log", func() bool {
		data, _ := os.ReadFile(p.out("this.json"))
		return strings.Contains(string(data), `"disconnect"`)
	})
	if _, err := os.Stat(p.out("not-this.json")); err == nil {
		t.Error("the file's own log is there, too")
	}
	s.stop(t)
	r := edgeftp(t, "serve", "--config", p.file(t, listener()), "--events", p.in("events.json"))
	if r.code != 3 || !strings.Contains(r.stderr, "--events: the event log") {
		t.Errorf("a log inside the root: exit code %d\n%s", r.code, r.both())
	}
	s = newPlace(t).start(t, "--events", p.out("flags.json"), "--tls", "off")
	s.login(t)
	s.stop(t)
	if got := of(events(t, p.out("flags.json")), 1); !slices.Contains(got, "login") {
		t.Errorf("the events are %q", got)
	}
}

func TestSettingLogPrefix(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, listener()+`telemetry: { log: { prefix: "<%(asctime)s %(remote_ip)s-[%(username)s] 100%%>" } }`+"\n")
	s.login(t)
	line := s.expect(t, "logged in")
	if m := message(line); !strings.HasPrefix(m, "<20") || !strings.HasSuffix(m, " 127.0.0.1-[dev] 100%> logged in") {
		t.Errorf("the message is %q", m)
	}
	s.stop(t)
}

// What the server itself does is in the log, too.
func TestSettingServerEvents(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, listener()+"events: { file: events.json }\npolicies: { modules: [{ name: guard, source: "+testModule(t, "moody")+" }] }\n")
	c := s.login(t)
	c.refused(t, "STOR a.deny", 553)
	for _, args := range [][]string{{"policy", "swap", "guard", testModule(t, "pass")}, {"policy", "rollback", "guard"}} {
		if r := s.admin(t, args...); r.code != 0 {
			t.Fatalf("%v: exit code %d\n%s", args, r.code, r.both())
		}
	}
	s.stop(t)
	list := events(t, p.out("events.json"))
	for _, name := range []string{"policy_swapped", "policy_rolled_back", "draining"} {
		if e := one(t, list, name); e["session"] != 0.0 || e["time"] == nil || name != "draining" && (e["policy"] != "guard" || e["generation"] == nil) {
			t.Errorf("%s: %v", name, e)
		}
	}
	if e := one(t, list, "denied"); e["policy"] != "guard" || e["path"] != "/a.deny" {
		t.Errorf("denied: %v", e)
	}
}
