package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// reloaded is the answer of reload -o json.
type reloaded struct {
	Generation uint64
	Applied    bool
	Changes    []struct{ Key, From, To, Effect string }
	Blocked    []string
	Notes      []string
}

// reload asks the server to take its file again, and fails unless it exits with the code.
func (s *server) reload(t *testing.T, code int, args ...string) (out reloaded) {
	t.Helper()
	r := s.admin(t, append([]string{"reload", "-o", "json"}, args...)...)
	if r.code != code {
		t.Fatalf("reload %q: exit code %d, want %d\n%s", args, r.code, code, r.both())
	}
	if r.stdout != "" {
		ok(t, json.Unmarshal([]byte(r.stdout), &out))
	}
	return out
}

// hangup sends SIGHUP.
func (s *server) hangup(t *testing.T) {
	t.Helper()
	ok(t, s.cmd.Process.Signal(syscall.SIGHUP))
}

// again writes the configuration file anew, with the hash of the password that it has.
func (p place) again(t *testing.T, text string) string {
	t.Helper()
	before := string(must(os.ReadFile(p.out("edgeftp.yaml")))(t))
	_, after, _ := strings.Cut(before, "password_hash: \"")
	hash, _, _ := strings.Cut(after, `"`)
	path := p.file(t, text)
	next := string(must(os.ReadFile(path))(t))
	_, after, _ = strings.Cut(next, "password_hash: \"")
	made, _, _ := strings.Cut(after, `"`)
	ok(t, os.WriteFile(path, []byte(strings.ReplaceAll(next, made, hash)), 0o600))
	return path
}

// One throttled download sees it all: a dry run, a reload with another rate, a broken file
// by SIGHUP, a rollback, and the end of its limit; its bytes are whole, and other sessions
// begin with what is in force. With EDGEFTP_FULL=1 it lasts for a minute.
func TestReloadDuringTransfer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	rate, size := 400_000, int64(4*mib)
	if full() {
		rate, size = 200_000, 12*mib
	}
	conf := func(rate int, more string) string {
		return listener("banner: "+more) + fmt.Sprintf("bandwidth: { session_default: { down: %dB } }\nevents: { file: %q }\n", rate, p.out("events.json"))
	}
	want := noiseFile(t, p.in("big"), size)
	s := p.serve(t, conf(rate, "first"))
	c := s.login(t)
	data, began := c.begin(t, "RETR big"), time.Now()
	got := sha256.New()
	read := func(n int64) {
		t.Helper()
		if _, err := io.CopyN(got, data, n); err != nil {
			t.Fatal(err)
		}
	}
	read(size / 8)

	p.again(t, conf(2*rate, "second"))
	dry := s.reload(t, 0, "--dry-run")
	if dry.Applied || dry.Generation != 1 || len(dry.Changes) != 2 || dry.Changes[0].Key != "bandwidth.session_default.down" || dry.Changes[0].Effect != "now" ||
		dry.Changes[1].Key != "listeners[main].banner" || dry.Changes[1].Effect != "new sessions" {
		t.Errorf("dry run: %+v", dry)
	}
	if _, r := s.raw(t); !strings.Contains(r.Text(), "first") {
		t.Errorf("after a dry run: %v", r)
	}
	if done := s.reload(t, 0); !done.Applied || done.Generation != 2 || len(done.Changes) != 2 || len(done.Notes) != 0 {
		t.Errorf("reload: %+v", done)
	}
	if _, r := s.raw(t); !strings.Contains(r.Text(), "second") {
		t.Errorf("after a reload: %v", r)
	}
	read(size / 8)

	broken := p.again(t, conf(3*rate, "third")+"limits: { sessions: { total: many } }\nlistener: 1\n")
	s.hangup(t)
	line := s.expect(t, "config_rejected", "SIGHUP")
	for _, fault := range []string{"limits.sessions.total", `unknown key \"listener\"`, broken + ":", "generation 2 stays in force"} {
		if !strings.Contains(line, fault) {
			t.Errorf("%q is not among the faults: %s", fault, line)
		}
	}
	if r := s.admin(t, "reload"); r.code != 3 || !strings.Contains(r.stderr, "2 errors; nothing was applied") {
		t.Errorf("reload of a broken file: exit code %d\n%s", r.code, r.both())
	}
	if b := s.admin(t, "bandwidth").stdout; !strings.Contains(b, "session-default  -     "+map[bool]string{false: "800kB/s", true: "400kB/s"}[full()]) {
		t.Errorf("the rate that is in force: %s", b)
	}
	read(size / 8)

	if r := s.admin(t, "config", "rollback"); r.code != 0 || !strings.Contains(r.stdout, "generation 3 is in force") || !strings.Contains(r.stdout, "note: the file") {
		t.Errorf("rollback: exit code %d\n%s", r.code, r.both())
	}
	if _, r := s.raw(t); !strings.Contains(r.Text(), "first") {
		t.Errorf("after a rollback: %v", r)
	}
	if r := s.admin(t, "config", "rollback", "99"); r.code != 1 || !strings.Contains(r.stderr, "config history") {
		t.Errorf("rollback to nothing: exit code %d\n%s", r.code, r.both())
	}
	read(size / 8)
	if h := s.admin(t, "config", "history").stdout; !strings.Contains(h, "3 *") || !strings.Contains(h, "rollback to 1") || !strings.Contains(h, "command") || !strings.Contains(h, "start") {
		t.Errorf("history:\n%s", h)
	}
	if !full() {
		p.again(t, conf(200_000_000, "fourth"))
		s.hangup(t)
	}
	_, err := io.Copy(got, data)
	ok(t, err)
	ok(t, userpi.End(data))
	if _, err := c.Expect("RETR", 226); err != nil {
		t.Error(err)
	}
	if digest(got.Sum(nil)) != want {
		t.Error("the download is not what the file is")
	}
	t.Logf("%d bytes in %v", size, time.Since(began).Round(time.Millisecond))
	c.want(t, "NOOP", 200)
	until(t, "the events are written", func() bool {
		text, _ := os.ReadFile(p.out("events.json"))
		return strings.Count(string(text), `"config_reloaded"`) >= 2 && strings.Contains(string(text), `"config_rejected"`) &&
			strings.Contains(string(text), "bandwidth.session_default.down")
	})
	info := must(os.Stat(filepath.Join(s.state, "config", "1.yaml")))(t)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("a kept configuration has mode %v", info.Mode())
	}
	s.stop(t)
}

// Listeners come and go, and one that stays is never missed. Figures move to another port
// and keep what they have counted.
func TestReloadListeners(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first, second, figures, others := ports.Addr(t), ports.Addr(t), ports.Addr(t), ports.Addr(t)
	conf := func(figures string, addresses ...string) string {
		text := "sandbox: { landlock: off }\ntelemetry: { metrics: { listen: " + figures + " } }\nlisteners:\n"
		for i, a := range addresses {
			text += fmt.Sprintf("  - { name: l%d, address: %q, tls: { control: off } }\n", i, a)
		}
		return text
	}
	s := p.serve(t, conf(figures, first))
	c := s.login(t)
	stop, missed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(missed)
		for {
			select {
			case <-stop:
				return
			default:
			}
			conn, err := net.Dial("tcp", first)
			if err != nil {
				missed <- err
				return
			}
			conn.Close()
		}
	}()
	taken := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer taken.Close()
	p.again(t, conf(others, first, second, taken.Addr().String()))
	if r := s.admin(t, "reload"); r.code != 1 || !strings.Contains(r.stderr, "another program listens there") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	for _, a := range []string{second, others} {
		if _, err := net.Dial("tcp", a); err == nil {
			t.Errorf("%s is open after a refusal", a)
		}
	}
	p.again(t, conf(others, first, second))
	s.reload(t, 0)
	for _, a := range []string{second, others} {
		conn := must(net.Dial("tcp", a))(t)
		conn.Close()
	}
	if _, err := net.Dial("tcp", figures); err == nil {
		t.Error("the figures are at their old port")
	}
	shown := must(http.Get("http://" + others + "/metrics"))(t)
	if text := must(io.ReadAll(shown.Body))(t); !strings.Contains(string(text), "edgeftp_") {
		t.Errorf("the figures: %s", text)
	}
	shown.Body.Close()
	if st := s.status(t); len(st.Listeners) != 2 {
		t.Errorf("the status names %d listeners", len(st.Listeners))
	}
	close(stop)
	if err := <-missed; err != nil {
		t.Errorf("a listener that stays was missed: %v", err)
	}
	p.again(t, conf(others, second))
	s.reload(t, 0)
	if _, err := net.Dial("tcp", first); err == nil {
		t.Error("a listener that is no more is open")
	}
	c.want(t, "NOOP", 200)
	p.again(t, conf(others, first)) // which an earlier socket must not be taken for
	s.reload(t, 0)
	d := s.login(t)
	d.want(t, "NOOP", 200)
	for _, c := range []*session{c, d} {
		c.want(t, "QUIT", 221)
	}
	s.reload(t, 0, "--wait")
	s.stop(t)
}

// A module stays with what it counts, also one that was swapped in; new settings of it, or
// another source, load it anew.
func TestReloadModules(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	conf := func(banner, source, more string) string {
		return listener("banner: "+banner) + fmt.Sprintf("policies: { modules: [{ name: guard, source: %q%s }] }\n", source, more)
	}
	v1, v2, v3 := p.declaring(t, "v1", testModule(t, "pass"), version("1.0.0")), p.declaring(t, "v2", testModule(t, "pass"), version("2.0.0")),
		p.declaring(t, "v3", testModule(t, "pass"), version("3.0.0"))
	s := p.serve(t, conf("a", v1, ""))
	c := s.login(t)
	c.get(t, "NLST")
	is := func(when, version string, generation uint64) {
		t.Helper()
		if m := s.module(t, "guard"); m.Version != version || m.Generation != generation {
			t.Errorf("%s: version %s in generation %d, want %s in %d", when, m.Version, m.Generation, version, generation)
		}
	}
	p.again(t, conf("b", v1, ""))
	s.reload(t, 0)
	is("after a reload", "1.0.0", 1)
	s.swap(t, "", "guard", v2)
	p.again(t, conf("c", v1, ""))
	s.reload(t, 0)
	is("after a swap and a reload", "2.0.0", 2)
	p.again(t, conf("c", v1, ", limits: { memory: 2MiB }"))
	s.reload(t, 0)
	is("with other limits", "2.0.0", 3)
	if r := s.admin(t, "policy", "swap", "guard", v3, "--canary", "50%"); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.both())
	}
	p.again(t, conf("d", v1, ", limits: { memory: 2MiB }"))
	s.reload(t, 0) // beside a trial
	if m := s.module(t, "guard"); m.Trial == nil {
		t.Error("the trial has ended")
	}
	p.again(t, conf("e", v1, ", limits: { memory: 3MiB }"))
	if r := s.admin(t, "reload"); r.code != 1 || !strings.Contains(r.stderr, "trial") {
		t.Errorf("a module that changes during a trial: exit code %d\n%s", r.code, r.both())
	}
	if r := s.admin(t, "policy", "rollback", "guard"); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.both())
	}
	p.again(t, conf("e", v3, ", limits: { memory: 2MiB }"))
	s.reload(t, 0)
	if m := s.module(t, "guard"); m.Version != "3.0.0" {
		t.Errorf("another source: %+v", m)
	}
	ok(t, os.WriteFile(v3, []byte("no module"), 0o644))
	if r := s.admin(t, "reload"); r.code != 1 || !strings.Contains(r.stderr, "guard") {
		t.Errorf("a source that is no module: exit code %d\n%s", r.code, r.both())
	}
	p.again(t, listener("banner: f"))
	s.reload(t, 0)
	c.get(t, "NLST")
	if _, r := s.raw(t); !strings.Contains(r.Text(), "f") {
		t.Errorf("%v", r)
	}
	s.stop(t)
}

// Users, their rates and their roots change for those who log in, and their rates for
// those who are there.
func TestReloadUsers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	users := func(list string) string { return listener() + "users: { list: [" + list + "] }\n" }
	dev := "{ name: dev, password_hash: @HASH@, perm: elradfmwMT%s }"
	want := noiseFile(t, p.in("big"), 2*mib)
	ok(t, os.Mkdir(p.in("sub"), 0o755))
	s := p.serve(t, users(fmt.Sprintf(dev, ", bandwidth: { down: 16KB }")))
	c := s.login(t)
	data := c.begin(t, "RETR big")
	p.again(t, users(fmt.Sprintf(dev, ", bandwidth: { down: 100MB }")+", { name: eve, password_hash: @HASH@, root: "+p.in("sub")+" }"))
	s.reload(t, 0)
	got := sha256.New()
	_, err := io.Copy(got, data)
	ok(t, err)
	ok(t, userpi.End(data))
	if _, err := c.Expect("RETR", 226); err != nil || digest(got.Sum(nil)) != want {
		t.Errorf("%v", err)
	}
	s.loginAs(t, "eve", secret).want(t, "SIZE big", 550)
	p.again(t, users(fmt.Sprintf(dev, "")))
	s.reload(t, 0)
	d := s.dial(t)
	if err := d.Login("eve", secret); err == nil {
		t.Error("a user who is no more can log in")
	}
	c.want(t, "SIZE big", 213)
	s.stop(t)
}

// A server that was started by flags has no file to read again, and says so.
func TestReloadByFlags(t *testing.T) {
	t.Parallel()
	s := start(t)
	if r := s.admin(t, "reload"); r.code != 1 || !strings.Contains(r.stderr, "started by flags") || !strings.Contains(r.stderr, "--print-config") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	s.hangup(t)
	s.expect(t, "config_rejected", "started by flags")
	s.login(t).want(t, "NOOP", 200)
	if r := s.admin(t, "config", "history"); r.code != 0 || !strings.Contains(r.stdout, "flags") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	s.stop(t)
}

// A broken configuration opens no port at a start, and makes no state.
func TestBrokenConfigurationAtTheStart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	address := ports.Addr(t)
	file := p.file(t, "listeners: [{ name: main, address: "+address+", tls: { control: off } }]\nlimits: { sessions: { total: many } }\nlistener: 1\n")
	s := launch(t, p, "--config", file)
	if code := s.wait(t, stopWithin); code != 3 {
		t.Errorf("exit code %d", code)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the port is open")
	}
	if log := s.log.String(); !strings.Contains(log, "2 errors; nothing was applied") || strings.Contains(log, `"ready"`) {
		t.Errorf("the log is\n%s", log)
	}
	if _, err := os.Stat(p.state); err == nil {
		t.Error("the state directory was made")
	}
}
