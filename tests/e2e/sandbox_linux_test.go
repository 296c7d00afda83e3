package e2e

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// confinement is the answer of edgeftp doctor --output json.
type confinement struct {
	Landlock string `json:"landlock"`
	ABI      int    `json:"abi"`
	Layers   []struct{ Name, State, Text, Help string }
	Rules    struct {
		Paths []struct{ Path, Access, Why string }
		Bind  []struct{ First, Last int }
	}
}

func (c *confinement) state(name string) string {
	for _, l := range c.Layers {
		if l.Name == name {
			return l.State
		}
	}
	return "not told"
}

// confined asks a running server what it is shut off by.
func (s *server) confined(t *testing.T) (c confinement) {
	t.Helper()
	r := edgeftp(t, "doctor", "--state-dir", s.state, "--output", "json")
	ok(t, json.Unmarshal([]byte(r.stdout), &c))
	return c
}

// landlock is the version of the kernel's Landlock that this test finds itself, 0
// without it.
func landlock() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// layers are the states that a kernel's Landlock gives the layers of it.
func layers(abi int) map[string]string {
	want := map[string]string{"files": "missing", "network": "missing", "processes": "missing", "system calls": "on", "privileges": "on", "core dumps": "on"}
	for name, from := range map[string]int{"files": 3, "network": 4, "processes": 6} {
		if abi >= from {
			want[name] = "on"
		}
	}
	if abi == 2 {
		want["files"] = "partly"
	}
	return want
}

// A server is shut off with all its threads, and says how far, in the log and by the
// admin socket.
func TestSandboxOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.confined(t)
	for name, want := range layers(landlock()) {
		if got := c.state(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	told := s.expect(t, `"msg":"ready"`)
	if want := `"sandbox":"on`; !strings.Contains(told, want) || strings.Contains(told, "missing") != (landlock() < 6) {
		t.Errorf("the log says %s", told)
	}
	// Sessions make threads of their own.
	for range 5 {
		s.login(t).put(t, "STOR a", strings.NewReader("content"))
	}
	all := must(filepath.Glob(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "task", "*", "status")))(t)
	if len(all) < 3 {
		t.Fatalf("threads: %q", all)
	}
	for _, name := range all {
		text := string(must(os.ReadFile(name))(t))
		if !strings.Contains(text, "\nNoNewPrivs:\t1\n") || !strings.Contains(text, "\nSeccomp:\t2\n") {
			t.Errorf("%s is free:\n%s", name, text)
		}
	}
	limits := string(must(os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "limits")))(t))
	i := strings.Index(limits, "Max core file size")
	if i < 0 || strings.Join(strings.Fields(limits[i:])[4:6], " ") != "0 0" {
		t.Error(limits)
	}
	s.stop(t)
	if _, err := os.Stat(filepath.Join(s.state, "admin.sock")); err == nil {
		t.Error("the admin socket is left")
	}
}

// Trees that are put where users.defaults.root says are served whenever they come;
// one that leads elsewhere is served if it did so at the start, and else the log says
// why not.
func TestSandboxHomes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, dir := range []string{p.out("homes"), p.out("homes/dev"), p.far("a"), p.far("b")} {
		ok(t, os.Mkdir(dir, 0o755))
	}
	ok(t, os.Symlink(p.far("a"), p.out("homes", "early")))
	ok(t, os.Symlink(p.out("homes", "dev"), p.out("homes", "late")))
	s := p.serve(t, listener()+`users:
  defaults: { root: "homes/${user}", perm: elradfmwMT }
  list:
    - { name: dev, password_hash: @HASH@ }
    - { name: early, password_hash: @HASH@ }
    - { name: late, password_hash: @HASH@ }
`)
	s.loginAs(t, "early", secret).put(t, "STOR a", strings.NewReader("a"))
	must(os.Stat(p.far("a", "a")))(t)
	s.loginAs(t, "late", secret).put(t, "STOR a", strings.NewReader("a"))
	ok(t, os.Remove(p.out("homes", "late")))
	ok(t, os.Symlink(p.far("b"), p.out("homes", "late")))
	c := s.dial(t)
	err := c.Identify("late", secret)
	if landlock() < 2 {
		ok(t, err)
		return
	}
	if err == nil {
		t.Error("a tree outside of the sandbox is served")
	}
	s.expect(t, "outside of the sandbox", "restart the server")
	ok(t, os.Remove(p.out("homes", "late")))
	ok(t, os.Mkdir(p.out("homes", "late"), 0o755)) // a new one, in its place
	s.loginAs(t, "late", secret).put(t, "STOR b", strings.NewReader("b"))
	s.stop(t)
}

// A certificate whose link is turned is taken over from where the first one lay, also
// when that is another folder; from elsewhere it is not, and the log says why.
func TestSandboxCertificates(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, _, ca := issue(t, "authority", nil)
	put := func(name string) *x509.Certificate {
		c := newPair(t, ca, newKey(t, "p256"), 60*24*time.Hour)
		ok(t, os.WriteFile(name, append(c.cert, c.key...), 0o600))
		return c.leaf
	}
	turn := func(to string) {
		ok(t, os.Symlink(to, p.out("live", "next")))
		ok(t, os.Rename(p.out("live", "next"), p.out("live", "pair.pem")))
	}
	for _, dir := range []string{"live", "archive"} {
		ok(t, os.Mkdir(p.out(dir), 0o755))
	}
	put(p.out("archive/1.pem"))
	turn(p.out("archive/1.pem"))
	s := p.serve(t, filesListeners+"certificates: { files: [{ cert: live/pair.pem }] }\n")
	shown := func(leaf *x509.Certificate) {
		t.Helper()
		until(t, "the new certificate is in use", func() bool {
			got, err := shake(s.addr, ca.trusting())
			ok(t, err)
			return got.Equal(leaf)
		})
	}
	next := put(p.out("archive/2.pem"))
	turn(p.out("archive/2.pem"))
	shown(next)
	last := put(p.far("3.pem"))
	turn(p.far("3.pem"))
	if landlock() < 2 {
		shown(last)
		return
	}
	told := func(line string) bool {
		return strings.Contains(line, "outside of the sandbox") && strings.Contains(line, "pair.pem")
	}
	if _, err := s.log.find(s.ended, time.Minute, told); err != nil { // trouble must last for some seconds
		t.Error(err)
	}
	shown(next)
	s.stop(t)
}

// The figures of the process are all there: they are read from files of the system.
func TestSandboxFigures(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, listener()+"telemetry: { metrics: { listen: 127.0.0.1:0 } }\n")
	var told struct{ URL string }
	ok(t, json.Unmarshal([]byte(s.expect(t, "figures are shown")), &told))
	r := must(http.Get(told.URL))(t)
	defer r.Body.Close()
	text := string(must(io.ReadAll(r.Body))(t))
	for _, name := range []string{"cpu_seconds_total", "max_fds", "open_fds", "resident_memory_bytes", "start_time_seconds", "virtual_memory_bytes"} {
		if !strings.Contains(text, "\nprocess_"+name+" ") {
			t.Errorf("there is no process_%s", name)
		}
	}
	s.stop(t)
}

// strangled runs edgeftp on a kernel without some system calls. The tracer is no parent
// of it: who ends the process ends edgeftp.
func strangled(t *testing.T, calls string) []string {
	t.Helper()
	return []string{need(t, "strace"), "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + calls + ":error=ENOSYS", os.Getenv(binaryVar)}
}

// What is missing is told, and the server serves; unless it is required.
func TestSandboxMissing(t *testing.T) {
	t.Parallel()
	for calls, want := range map[string][]string{
		"landlock_create_ruleset": {"files", "network", "processes"},
		"seccomp":                 {"network", "system calls"},
	} {
		t.Run(calls, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			s := launchBy(t, p, strangled(t, calls), p.flags("--tls", "off")...)
			told := s.expect(t, `"msg":"ready"`)
			s.expect(t, `"msg":"sandbox: `+want[0], `"help"`)
			var c confinement
			r := edgeftp(t, "doctor", "--state-dir", p.state, "--output", "json")
			if r.code != 5 {
				t.Errorf("doctor exits with %d", r.code)
			}
			ok(t, json.Unmarshal([]byte(r.stdout), &c))
			for _, name := range want {
				if got := c.state(name); got != "missing" && got != "partly" || !strings.Contains(told, name+" "+got) {
					t.Errorf("%s is %s; %s", name, got, told)
				}
			}
			p = newPlace(t)
			s = launchBy(t, p, strangled(t, calls), p.flags("--tls", "off", "--sandbox", "required")...)
			if code := s.wait(t, readyWithin); code != 1 {
				t.Errorf("exit code %d", code)
			}
			if log := s.log.String(); !strings.Contains(log, "sandbox is required") || !strings.Contains(log, want[0]) || !strings.Contains(log, "= help: ") || strings.Contains(log, `"ready"`) {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// required starts where nothing is missing, and off is off.
func TestSandboxModes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	conf := p.file(t, listener("passive: { ports: 50400-50409 }")+"sandbox: { landlock: required }\n")
	s := launch(t, p, "--config", conf)
	if landlock() < 6 {
		if code := s.wait(t, readyWithin); code != 1 {
			t.Errorf("exit code %d", code)
		}
	} else {
		s.expect(t, `"msg":"ready"`, `"sandbox":"on"`)
		c := s.confined(t)
		if c.Landlock != "required" || len(c.Rules.Bind) != 1 || c.Rules.Bind[0].First != 50400 || c.Rules.Bind[0].Last != 50409 {
			t.Errorf("%+v", c)
		}
		s.stop(t)
	}
	s = newPlace(t).start(t, "--sandbox", "off")
	s.expect(t, `"msg":"ready"`, `"sandbox":"off"`)
	if c := s.confined(t); slices.ContainsFunc(c.Layers, func(l struct{ Name, State, Text, Help string }) bool { return l.State != "off" }) {
		t.Errorf("%+v", c.Layers)
	}
	s.stop(t)
}

// doctor tells what this machine has for a configuration, without serving it.
func TestDoctor(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ok(t, os.Mkdir(p.state, 0o700))
	file := p.file(t, listener()+"events: { file: events.json }\n")
	want := 0
	if landlock() < 6 {
		want = 5
	}
	r := edgeftp(t, "doctor", "--config", file)
	without := want
	if os.Geteuid() == 0 { // whom serve refuses with that file
		want = 5
		if !strings.Contains(r.stdout, "does not serve as root") {
			t.Errorf("root is not told:\n%s", r.both())
		}
	}
	for _, text := range []string{"system calls", "core dumps", p.root, "it is served", p.outside, "the event log", "of the kernel's choice"} {
		if r.code != want || !strings.Contains(r.stdout, text) {
			t.Errorf("exit code %d, and no %q in\n%s", r.code, text, r.both())
		}
	}
	if r := edgeftp(t, "doctor"); r.code != without || !strings.Contains(r.stdout, "privileges") {
		t.Errorf("exit code %d:\n%s", r.code, r.both())
	}
	for args, code := range map[string]int{"--config /nowhere": 3, "--state-dir /nowhere": 4, "--config x --socket y": 2, "--output xml": 2} {
		if r := edgeftp(t, append([]string{"doctor"}, strings.Fields(args)...)...); r.code != code || !strings.Contains(r.stderr, "error: ") {
			t.Errorf("doctor %s: exit code %d, want %d\n%s", args, r.code, code, r.both())
		}
	}
}

// A folder that a policy's source needs only later cannot be looked at; the rest of it
// still is. So are files that links lead to, if the links were there at the start.
func TestSandboxSource(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	w := smallWorkshop(t, p)
	ok(t, os.Remove(filepath.Join(w.dir, "tests.json")))
	far := workshop{p.out("far")}
	ok(t, os.Mkdir(far.dir, 0o755))
	textFile(t, filepath.Join(far.dir, "far.h"), "#define WORDS \"first\"\n")
	ok(t, os.Symlink(filepath.Join(far.dir, "far.h"), filepath.Join(w.dir, "link.h")))
	w.edit(t, "policy.c", `"`+kind+`"`, "WORDS")
	w.edit(t, "policy.c", `#include "edgeftp.h"`, "#include \"edgeftp.h\"\n#include \"link.h\"")
	s := p.start(t, "--policy", w.dir)
	c := s.login(t)
	says := func(n int, words string) {
		t.Helper()
		if r := s.built(t, n); r.Msg != "policy swapped" {
			t.Errorf("%+v", r)
		}
		if r := c.refused(t, "STOR tool.exe", 550); !strings.Contains(r.String(), words) {
			t.Errorf("refused with %q, want %q", r, words)
		}
	}
	far.rename(t, "far.h", "first", "from afar")
	says(1, "from afar")
	far.rename(t, "far.h", "from afar", "from further") // the first may have been one that was found gone
	says(2, "from further")
	// Tests above the policy's folder make that one belong to the source.
	textFile(t, p.out("tests.json"), strings.ReplaceAll(guardTests, kind, "tested"))
	w.rename(t, "policy.c", "WORDS", `"tested"`)
	says(3, "tested")
	if landlock() > 0 {
		s.expect(t, "a folder that a policy's source needs is not watched", `"dir":"`+p.outside+`"`, "permission denied", "restart the server")
	}
	textFile(t, p.out("tests.json"), strings.ReplaceAll(guardTests, kind, "still watched"))
	w.rename(t, "policy.c", "tested", "still watched")
	until(t, "the policy is swapped", func() bool { return s.module(t, "guard").Generation == 5 })
	if r := c.refused(t, "STOR tool.exe", 550); !strings.Contains(r.String(), "still watched") {
		t.Errorf("refused with %q", r)
	}
	s.stop(t)
}
