package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// lineWith returns the first line of a file that holds a text, empty without one.
func lineWith(t *testing.T, path, text string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}

// serveToFile starts a server whose log is a file, by another program if one is given,
// and finds out where it listens.
func (p place) serveToFile(t *testing.T, log, text string, by ...string) *server {
	t.Helper()
	s := launchBy(t, p, append(by, os.Getenv(binaryVar)), "--config", p.file(t, text))
	until(t, "the server is ready", func() bool { s.alive(t); return lineWith(t, log, `"msg":"ready"`) != "" })
	var r ready
	ok(t, json.Unmarshal([]byte(lineWith(t, log, `"msg":"ready"`)), &r))
	s.addr, s.user, s.password = r.Listeners[0], "dev", secret
	s.plain = true
	return s
}

// Every log goes on in a new file once it was moved away and the server was told, by
// SIGHUP or by command; sessions and transfers do not notice.
func TestLogsReopen(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	log, access, events := p.out("server.log"), p.out("access.log"), p.out("events.json")
	s := p.serveToFile(t, log, plain()+fmt.Sprintf("telemetry: { log: { file: %q }, access_log: { file: %q, format: json } }\nevents: { file: %q }\n", log, access, events))
	c := s.login(t)
	c.put(t, "STOR a", strings.NewReader("content"))
	move := func(suffix string, tell func()) {
		t.Helper()
		for _, path := range []string{log, access, events} {
			until(t, "the log "+path+" has been written to", func() bool { return lineWith(t, path, `"/a"`) != "" })
			ok(t, os.Rename(path, path+suffix))
		}
		tell()
		until(t, "the new log was begun", func() bool { return lineWith(t, log, "the logs were opened again") != "" })
		c.put(t, "STOR a", strings.NewReader("content"))
	}
	move(".1", func() { ok(t, s.cmd.Process.Signal(syscall.SIGHUP)) })
	move(".2", func() {
		r := s.admin(t, "logs", "reopen")
		if r.code != 0 || !strings.Contains(r.stdout, "access") || !strings.Contains(r.stdout, log) {
			t.Errorf("%d %s", r.code, r.both())
		}
	})
	for _, path := range []string{log, access, events} {
		until(t, "the third file of "+path+" is written to", func() bool { return lineWith(t, path, `"/a"`) != "" })
	}
	ok(t, os.Remove(access))
	ok(t, os.Mkdir(access, 0o700))
	if r := s.admin(t, "logs", "reopen"); r.code != 5 || !strings.Contains(r.both(), "= help:") {
		t.Errorf("a directory in the place of a log: %d %s", r.code, r.both())
	}
	c.want(t, "NOOP", 200)
	s.stop(t)
}

// A log whose disk is full loses lines and says how many when there is room again;
// transfers do not stop, and no half line stays.
func TestLogsOnAFullDisk(t *testing.T) {
	t.Parallel()
	shell := need(t, "sh")
	p := newPlace(t)
	log, access, events := p.out("server.log"), p.out("access.log"), p.out("events.json")
	const limit = 4 << 20 // 8192 blocks: no file of the server grows beyond it
	for _, path := range []string{log, access, events} {
		fill := bytes.Repeat([]byte("{}                             \n"), limit/32-100)
		ok(t, os.WriteFile(path, fill, 0o600))
	}
	s := p.serveToFile(t, log, plain()+fmt.Sprintf("telemetry: { log: { file: %q, level: debug }, access_log: { file: %q, format: json } }\nevents: { file: %q }\n", log, access, events),
		shell, "-c", `ulimit -f 8192; exec "$0" "$@"`)
	c := s.login(t)
	for range 50 {
		c.put(t, "STOR a", strings.NewReader("content"))
		if got := c.get(t, "RETR a"); string(got) != "content" {
			t.Fatalf("%q", got)
		}
	}
	until(t, "lines were lost", func() bool { return strings.Contains(s.admin(t, "logs", "-o", "json").stdout, `"lost": `) })
	for _, path := range []string{log, access, events} {
		ok(t, os.Truncate(path, 0)) // as copytruncate does
	}
	c.put(t, "STOR b", strings.NewReader("content"))
	until(t, "the log says what it lost", func() bool { return lineWith(t, log, `"lines of a log were lost","log":"server"`) != "" })
	for line := range strings.Lines(string(must(os.ReadFile(log))(t))) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a broken line: %q", line)
		}
	}
	s.stop(t)
}
