package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// auditRecord is what the tests look at of edgeftp audit show -o json.
type auditRecord struct {
	Action, Object, Reason, Result string
	Actor                          struct {
		UID *int
		PID int
	}
}

// audited are the records of a server, the beginning of the log left out.
func (s *server) audited(t *testing.T) (list []auditRecord) {
	t.Helper()
	r := s.admin(t, "audit", "show", "-o", "json", "--state-dir", s.state)
	if r.code != 0 {
		t.Fatal(r.both())
	}
	for line := range strings.Lines(r.stdout) {
		var rec auditRecord
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if !strings.HasPrefix(rec.Action, "audit.") {
			list = append(list, rec)
		}
	}
	return list
}

// wholeAudit holds that the log is as servers have written it.
func (s *server) wholeAudit(t *testing.T) {
	t.Helper()
	if r := edgeftp(t, "audit", "verify", "--state-dir", s.state); r.code != 0 || !strings.Contains(r.stdout, ", whole") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
}

// What operators change is in the audit log, who and why, also when the server is killed
// in the middle of it; and somebody who cuts it is found.
func TestAuditOfAServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.start(t)
	for range 3 {
		if r := s.admin(t, "bandwidth", "set", "global", "--down", "10MB", "--reason", "ticket 7"); r.code != 0 {
			t.Fatal(r.both())
		}
	}
	list := s.audited(t)
	if len(list) != 3 || list[0].Action != "PUT /v1/bandwidth" || !strings.Contains(list[0].Object, "global down=10000000") || list[0].Reason != "ticket 7" ||
		list[0].Result != "ok" || list[0].Actor.UID == nil || *list[0].Actor.UID != os.Geteuid() || list[0].Actor.PID == 0 {
		t.Fatalf("%+v", list)
	}
	s.kill()
	file := filepath.Join(p.state, "audit.jsonl")
	f := must(os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0))(t)
	must(f.WriteString(`{"action":"PUT`))(t) // as a power cut leaves it
	ok(t, f.Close())
	if r := edgeftp(t, "audit", "verify", "--state-dir", p.state); r.code != 5 || !strings.Contains(r.stdout, "ends without an end of line") {
		t.Errorf("a torn line: exit code %d\n%s", r.code, r.both())
	}
	s = p.start(t)
	s.wholeAudit(t)
	if r := edgeftp(t, "audit", "verify", "--state-dir", p.state); !strings.Contains(r.stdout, "audit.mended") {
		t.Errorf("nobody is told: %s", r.stdout)
	}
	if r := s.admin(t, "ban", "add", "198.51.100.0/24"); r.code != 0 {
		t.Fatal(r.both())
	}
	s.stop(t)
	s.wholeAudit(t)
	text := must(os.ReadFile(file))(t)
	ok(t, os.WriteFile(file, text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1], 0o600))
	s = p.start(t)
	s.expect(t, "the audit log is not as it was left")
	if r := edgeftp(t, "audit", "verify", "--state-dir", p.state); r.code != 5 || !strings.Contains(r.stdout, "cut off") {
		t.Errorf("a cut log: exit code %d\n%s", r.code, r.both())
	}
	s.stop(t)
}

// A server runs empty: no session begins, what runs goes on, it can be taken back, and when
// the last one has gone the server ends.
func TestDrainByOperator(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.login(t)
	if r := s.admin(t, "drain", "--limit", "10m"); r.code != 0 || !strings.Contains(r.stdout, "no new sessions") {
		t.Fatal(r.both())
	}
	if r := s.curl(t, s.url("/")).run(t); r.code == 0 {
		t.Error("a session begins while the server drains")
	}
	c.want(t, "NOOP", 200)
	if r := s.admin(t, "drain", "--cancel"); r.code != 0 {
		t.Fatal(r.both())
	}
	s.login(t).want(t, "QUIT", 221)
	c.put(t, "STOR a", strings.NewReader("x"))
	if r := s.admin(t, "drain", "-o", "json"); r.code != 0 || !strings.Contains(r.stdout, `"draining": true`) {
		t.Fatal(r.both())
	}
	c.want(t, "QUIT", 221)
	if code := s.wait(t, stopWithin); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if r := s.admin(t, "drain"); r.code != 4 {
		t.Errorf("nobody is there: exit code %d", r.code)
	}
}

// follow starts edgeftp events tail and returns its lines, once it follows.
func (s *server) follow(t *testing.T) <-chan string {
	t.Helper()
	cmd := exec.Command(os.Getenv(binaryVar), "events", "tail", "-o", "json", "--socket", filepath.Join(s.state, "admin.sock"))
	out := must(cmd.StdoutPipe())(t)
	ok(t, cmd.Start())
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			lines <- in.Text()
		}
	}()
	t.Cleanup(func() { _ = errors.Join(cmd.Process.Kill(), cmd.Wait()) })
	for deadline := time.Now().Add(readyWithin); len(lines) == 0; { // somebody comes, until that is seen
		if time.Now().After(deadline) {
			t.Fatal("no event comes")
		}
		ok(t, must(net.Dial("tcp", s.addr))(t).Close())
		<-time.After(20 * time.Millisecond)
	}
	return lines
}

// Who follows the events sees a session come and go, and the log can be made to say more
// for a while.
func TestEventsTailAndLevels(t *testing.T) {
	t.Parallel()
	s := start(t)
	tail := s.follow(t)
	c := s.login(t)
	c.put(t, "STOR a", strings.NewReader("xyz"))
	c.want(t, "QUIT", 221)
	seen := map[string]bool{}
	for deadline := time.After(readyWithin); !seen["login"] || !seen["file_received"] || !seen["logout"]; {
		select {
		case line, more := <-tail:
			var e struct {
				Event, Path string
				Bytes       int64
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v: %q, %v", err, line, more)
			}
			seen[e.Event] = true
			if e.Event == "file_received" && (e.Path != "/a" || e.Bytes != 3) {
				t.Errorf("%s", line)
			}
		case <-deadline:
			t.Fatalf("%v", seen)
		}
	}
	if r := s.admin(t, "logs", "level", "debug", "--for", "10m", "-o", "json"); r.code != 0 || !strings.Contains(r.stdout, `"level": "debug"`) || !strings.Contains(r.stdout, `"configured": "info"`) {
		t.Fatal(r.both())
	}
	if r := s.admin(t, "logs", "level", "loud"); r.code != 1 || !strings.Contains(r.stderr, "debug, info, warn or error") {
		t.Errorf("exit code %d: %s", r.code, r.both())
	}
	s.stop(t)
}

// An archive of a running server makes another one that is the same; nothing is restored
// over a server, nor over what is there.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.start(t, "--policy", "guard="+testModule(t, "moody"))
	if r := s.admin(t, "ban", "add", "198.51.100.0/24", "--why", "kept"); r.code != 0 {
		t.Fatal(r.both())
	}
	archive := p.out("b.tar")
	for deadline := time.Now().Add(waitWithin); ; { // bans are kept within a second
		if info, err := os.Stat(filepath.Join(p.state, "defender")); err == nil && info.Size() > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the ban is not kept")
		}
		<-time.After(20 * time.Millisecond)
	}
	if r := s.admin(t, "backup", "--out", archive); r.code != 0 {
		t.Fatal(r.both())
	}
	if info := must(os.Stat(archive))(t); info.Mode().Perm() != 0o600 {
		t.Errorf("%v", info.Mode())
	}
	if r := edgeftp(t, "verify", archive); r.code != 0 || !strings.Contains(r.stdout, "whole: ") || !strings.Contains(r.stdout, "audit log: record") {
		t.Errorf("%d %s", r.code, r.both())
	}
	if r := edgeftp(t, "restore", archive, "--state-dir", p.state, "--force"); r.code != 1 || !strings.Contains(r.stderr, "a server uses the state directory") {
		t.Errorf("over a server: %d %s", r.code, r.both())
	}
	s.stop(t)
	if r := edgeftp(t, "restore", archive, "--state-dir", p.state); r.code != 1 || !strings.Contains(r.stderr, "is there already") {
		t.Errorf("over what is there: %d %s", r.code, r.both())
	}
	again := p
	again.state = filepath.Join(filepath.Dir(p.state), "again")
	if r := edgeftp(t, "restore", archive, "--state-dir", again.state, "--dry-run"); r.code != 0 || !strings.Contains(r.stdout, "would restore") {
		t.Errorf("%d %s", r.code, r.both())
	}
	if _, err := os.Stat(again.state); err == nil {
		t.Error("a dry run restores")
	}
	if r := edgeftp(t, "restore", archive, "--state-dir", again.state); r.code != 0 {
		t.Fatal(r.both())
	}
	s = again.start(t, "--policy", "guard="+testModule(t, "moody"))
	if text := string(must(os.ReadFile(s.ca))(t)); text != string(must(os.ReadFile(filepath.Join(p.state, "ca.pem")))(t)) {
		t.Error("it has another authority")
	}
	if d := s.defence(t, "list"); len(d.Bans) != 1 {
		t.Errorf("the bans are %+v", d.Bans)
	}
	s.wholeAudit(t)
	s.stop(t)
	// A byte of another value is found before anything is put in place.
	text := must(os.ReadFile(archive))(t)
	text[bytes.Index(text, []byte("BEGIN CERTIFICATE"))+30] ^= 1
	ok(t, os.WriteFile(archive, text, 0o600))
	if r := edgeftp(t, "restore", archive, "--state-dir", again.state, "--force"); r.code != 5 || !strings.Contains(r.stderr, "nothing was restored") {
		t.Errorf("a changed archive: %d %s", r.code, r.both())
	}
	again.start(t, "--policy", "guard="+testModule(t, "moody")).stop(t)
}
