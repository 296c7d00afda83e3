package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// oneMessage returns what a refusal says if it is one message: a line that
// begins with "error:" and further lines that belong to it.
func oneMessage(stderr string) string {
	text := strings.TrimRight(stderr, "\n")
	for i, line := range strings.Split(text, "\n") {
		begins := strings.HasPrefix(line, "error:")
		if begins != (i == 0) || line == "" || strings.Contains(line, "goroutine ") {
			return ""
		}
	}
	return text
}

// mistake is a command line that must be refused before anybody can connect.
type mistake struct {
	name string
	code int
	says []string // that the message must hold: what and where
	args []string // behind serve --listen ADDRESS
}

// refuse runs "edgeftp serve" with a mistake, and tries to connect all the while.
func refuse(t *testing.T, m mistake) {
	t.Helper()
	addr := ports.Addr(t)
	done, connected := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				connected <- nil
				return
			case <-tick.C:
				if conn, err := net.Dial("tcp", addr); err == nil {
					conn.Close()
					connected <- fmt.Errorf("it listened on %s", addr)
					return
				}
			}
		}
	}()
	r := edgeftp(t, append([]string{"serve", "--listen", addr}, m.args...)...)
	close(done)
	if err := <-connected; err != nil {
		t.Error(err)
	}
	if r.code != m.code {
		t.Errorf("exit code %d, want %d", r.code, m.code)
	}
	text := oneMessage(r.stderr)
	if text == "" || r.stdout != "" {
		t.Errorf("not one message on stderr:\n%s", r.both())
	}
	for _, word := range m.says {
		if !strings.Contains(text, word) {
			t.Errorf("the message does not say %q", word)
		}
	}
	t.Logf("%s", strings.TrimSpace(r.both()))
}

// On the command line.
func TestMistakes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	textFile(t, p.out("file"), "text")
	textFile(t, p.out("bad.wasm"), "no module")
	textFile(t, p.out("broken", "main.go"), "package main\n\nfunc main() { nonsense }\n")
	textFile(t, p.out("broken", "go.mod"), "module broken\n\ngo 1.26\n")
	textFile(t, p.out("alone", "main.go"), "package main\n\nfunc main() {}\n")
	state := func(args ...string) []string { return append(args, "--state-dir", p.state) }
	good := func(args ...string) []string { return append(args, "--root", p.root, "--state-dir", p.state) }
	for _, m := range []mistake{
		{"unknown flag", 2, []string{"--nonsense", "help"}, good("--nonsense")},
		{"unknown argument", 2, []string{"nonsense"}, good("nonsense")},
		{"bad TLS word", 2, []string{"perhaps", "required", "optional", "off"}, good("--tls", "perhaps")},
		{"neither root nor config", 2, []string{"--root", "--config"}, state()},
		{"missing root", 3, []string{p.out("missing")}, state("--root", p.out("missing"))},
		{"root is a file", 3, []string{p.out("file")}, state("--root", p.out("file"))},
		{"state inside the root", 3, []string{p.in("state")}, []string{"--root", p.root, "--state-dir", p.in("state")}},
		{"state is the root", 3, []string{p.root}, []string{"--root", p.root, "--state-dir", p.root}},
		{"no module", 3, []string{p.out("bad.wasm")}, good("--policy", p.out("bad.wasm"))},
		{"missing module", 3, []string{p.out("missing.wasm")}, good("--policy", p.out("missing.wasm"))},
		{"module that does not compile", 3, []string{"main.go:3", "nonsense"}, good("--policy", p.out("broken"))},
		{"module in no Go module", 3, []string{"alone", "policy init --lang go"}, good("--policy", p.out("alone"))},
		{"module that traps at its start", 3, []string{"init-trap"}, good("--policy", testModule(t, "init-trap"))},
		{"two modules of one name", 3, []string{"twin"}, good("--policy", "twin="+testModule(t, "pass"), "--policy", "twin="+testModule(t, "deny"))},
		{"clear text to everybody", 3, []string{"0.0.0.0", "--tls"}, good("--tls", "off", "--listen", "0.0.0.0:0")},
		{"clear text on every address", 3, []string{"--tls"}, good("--tls", "off", "--listen", ":0")},
		{"no address", 3, []string{"nonsense"}, good("--listen", "nonsense")},
		{"passive ports", 3, []string{"9-1"}, good("--passive-ports", "9-1")},
		{"permissions", 3, []string{"xyz"}, good("--perm", "xyz")},
		{"missing password file", 3, []string{p.out("missing")}, good("--password-file", p.out("missing"))},
	} {
		t.Run(m.name, func(t *testing.T) { refuse(t, m) })
	}
	if got := p.names(t); len(got) != 0 {
		t.Errorf("below the root lies %q", got)
	}
}

// In a certificate and its key.
func TestMistakesCertificate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one, two := newPlace(t), newPlace(t)
	s, other := one.start(t), two.start(t)
	textFile(t, p.out("file"), "text")
	key := filepath.Join(other.state, "ca.key")
	if _, err := os.Stat(key); err != nil {
		t.Fatal(err)
	}
	good := func(args ...string) []string { return append(args, "--root", p.root, "--state-dir", p.state) }
	for _, m := range []mistake{
		{"key of another", 3, []string{s.ca, key}, good("--cert", s.ca, "--key", key)},
		{"no certificate", 3, []string{p.out("file")}, good("--cert", p.out("file"), "--key", key)},
		{"no key", 3, []string{p.out("file")}, good("--cert", s.ca, "--key", p.out("file"))},
		{"missing certificate", 3, []string{p.out("missing")}, good("--cert", p.out("missing"), "--key", key)},
		{"certificate alone", 2, []string{"--key"}, good("--cert", s.ca)},
	} {
		t.Run(m.name, func(t *testing.T) { refuse(t, m) })
	}
}

// In a configuration file: the message says in which line.
func TestMistakesConfig(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := p.config(t, same)
	text := string(must(os.ReadFile(config))(t))
	for name, edit := range map[string]struct {
		text string
		says []string
	}{
		"unknown key":           {text + "\nnonsense: 1\n", []string{"nonsense", "edgeftp.yaml:"}},
		"a key with a typo":     {strings.Replace(text, "drain_timeout", "drain_timeuot", 1), []string{"drain_timeuot", "drain_timeout", "edgeftp.yaml:"}},
		"not YAML":              {text + "\n\t{[\n", []string{"edgeftp.yaml"}},
		"empty":                 {"", []string{"edgeftp.yaml"}},
		"no duration":           {setting(t, text, "drain_timeout", "tomorrow"), []string{"tomorrow", "drain_timeout", "edgeftp.yaml:"}},
		"something of later":    {text + "\nbandwidth: { global: { down: 1GB } }\n", []string{"bandwidth", "edgeftp.yaml:"}},
		"a version of later":    {setting(t, text, "version", "99"), []string{"99", "edgeftp.yaml:"}},
		"a root that is no one": {strings.Replace(text, p.root, p.out("missing"), 1), []string{p.out("missing")}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "edgeftp.yaml")
			ok(t, os.WriteFile(path, []byte(edit.text), 0o600))
			r := edgeftp(t, "serve", "--config", path)
			// All faults of a file are told at once, each with its place.
			if r.code != 3 || !strings.HasPrefix(r.stderr, "error:") || !strings.Contains(r.stderr, "nothing was applied") {
				t.Errorf("exit code %d, want 3 and a list of faults\n%s", r.code, r.both())
			}
			for _, word := range edit.says {
				if !strings.Contains(r.stderr, word) {
					t.Errorf("the message does not say %q", word)
				}
			}
			t.Logf("%s", strings.TrimSpace(r.both()))
		})
	}
	if r := edgeftp(t, "serve", "--config", p.out("missing.yaml")); r.code != 3 || !strings.Contains(r.stderr, "missing.yaml") {
		t.Errorf("missing file: exit code %d\n%s", r.code, r.both())
	}
	if r := edgeftp(t, "serve", "--config", config, "--root", p.root); r.code != 2 {
		t.Errorf("--config with --root: exit code %d\n%s", r.code, r.both())
	}
}

// A port that is taken is no fault of the configuration: another start may
// succeed. The other listeners are not left open.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	taken, free := l.Addr().String(), ports.Addr(t)
	r := edgeftp(t, "serve", "--root", p.root, "--state-dir", p.state, "--listen", free, "--listen", taken)
	if r.code != 1 || !strings.Contains(oneMessage(r.stderr), taken) {
		t.Errorf("exit code %d, want 1 and one message with %s\n%s", r.code, taken, r.both())
	}
	t.Logf("%s", strings.TrimSpace(r.both()))
	must(net.Listen("tcp", free))(t).Close()
}

// The commands without a server.
func TestNoServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, args := range [][]string{{"policy", "list"}, {"status"}, {"status", "-o", "json"}, {"policy", "rollback", "x"}, {"policy", "swap", "x", testModule(t, "pass")}} {
		r := edgeftp(t, append(args, "--state-dir", p.state)...)
		if r.code != 4 || !strings.Contains(oneMessage(r.stderr), "admin.sock") {
			t.Errorf("%q: exit code %d, want 4 and the socket's name\n%s", args, r.code, r.both())
		}
	}
	for _, args := range [][]string{{}, {"nonsense"}, {"policy"}, {"policy", "nonsense"}, {"policy", "swap", "x"}, {"status", "-o", "xml"}, {"version", "x"}} {
		r := edgeftp(t, args...)
		if r.code != 2 || oneMessage(r.stderr) == "" {
			t.Errorf("%q: exit code %d, want 2 and one message\n%s", args, r.code, r.both())
		}
	}
	for _, args := range [][]string{{"version"}, {"--help"}, {"serve", "--help"}, {"policy", "--help"}} {
		if r := edgeftp(t, args...); r.code != 0 || r.stdout == "" || r.stderr != "" {
			t.Errorf("%q: exit code %d\n%s", args, r.code, r.both())
		}
	}
}
