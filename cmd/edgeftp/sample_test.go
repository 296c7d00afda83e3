package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// sampleFile is the configuration that shows every section.
const sampleFile = "../../docs/examples/edgeftp.yaml"

// sample makes everything that the sample names, in a directory of its own, and returns
// it with the sample's text, in which paths are there, ports are free ones, and
// certificates the development authority's: nobody issues one for a test.
func sample(t *testing.T) (dir, text string) {
	t.Helper()
	data, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("../../examples/wasm/content-scan/c/content-scan.wasm")
	if err != nil {
		t.Fatal(err)
	}
	hash, err := edge.HashPassword("a long password")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"state", "srv/ftp/pub", "srv/ftp/alice", "srv/ftp/backup", "srv/ftp/releases", "srv/ftp/archive", "log", "run", "policies"} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"alice.hash": hash, "backup.hash": hash, "policies/content-scan.wasm": string(module),
		"partners.url": "https://hooks.invalid/ftp", "partners.key": strings.Repeat("k", 32), "ops.url": "https://hooks.invalid/ops"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"policy", "keygen", "-o", "policy-signers", "--no-password"}, {"policy", "sign", "--key", "policy-signers", "policies/content-scan.wasm"}} {
		if text, code := command(t, args...); code != 0 {
			t.Fatal(text)
		}
	}
	t.Setenv("STATE_DIRECTORY", filepath.Join(dir, "state"))
	return dir, string(data)
}

// local puts the sample where a test can serve it from.
func local(t *testing.T, dir, text string) string {
	t.Helper()
	for old, now := range map[string]string{"/srv/ftp": dir + "/srv/ftp", "/var/log/edgeftp": dir + "/log", "/run/edgeftp": dir + "/run",
		`[":21", "[::]:21"]`: `"127.0.0.1:0"`, `[":990", "[::]:990"]`: `"[::1]:0"`, "127.0.0.1:9121": "127.0.0.1:0", "certificate: auto": "certificate: dev"} {
		if !strings.Contains(text, old) {
			t.Fatalf("the sample has no %s", old)
		}
		text = strings.ReplaceAll(text, old, now)
	}
	before, rest, _ := strings.Cut(text, "\ncertificates:\n")
	_, after, found := strings.Cut(rest, "\nlimits:\n")
	if !found {
		t.Fatal("the sample has no certificates before its limits")
	}
	return before + "\nlimits:\n" + after
}

// The sample is in order, is laid out as config fmt does it, shows every section, and
// serves.
func TestSample(t *testing.T) {
	dir, text := sample(t)
	for _, section := range []string{"instance", "listeners", "certificates", "limits", "defender", "listing", "bandwidth", "transfer", "users", "storage", "policies",
		"events", "sandbox", "admin", "telemetry", "i18n"} {
		if !strings.Contains(text, "\n"+section+":") {
			t.Errorf("the sample has no section %s", section)
		}
	}
	if err := os.WriteFile("sample.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := commanded(t, "config", "fmt", "--check", "sample.yaml"); code != exitOK {
		t.Error(errs)
	}
	if err := os.WriteFile("local.yaml", []byte(local(t, dir, text)), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := commanded(t, "config", "validate", "local.yaml"); code != exitOK {
		t.Fatal(errs)
	}
	address, stop := servedBy(t, "local.yaml")
	uses(t, address)
	compares(t)
	stop()
	for _, log := range []string{"log/events.json", "log/xferlog"} {
		if data, err := os.ReadFile(log); err != nil || !strings.Contains(string(data), "alice") {
			t.Errorf("%s: %v, %s", log, err, data)
		}
	}
}

// compares asks the server what its file, and another one, would change.
func compares(t *testing.T) {
	t.Helper()
	ask := []string{"config", "diff", "--socket", "run/admin.sock", "--against", "running"}
	if code, out, errs := commanded(t, ask...); code != exitOK || out != "" {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	text, err := os.ReadFile("local.yaml")
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), "user_default: {down: 50MB, up: 20MB}", "user_default: {down: 80MB, up: 20MB}", 1)
	for name, text := range map[string]string{"other.yaml": other, "broken.yaml": other + "x: 1\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := commanded(t, append(ask, "other.yaml")...)
	if code != exitChecks || !strings.HasPrefix(out, "  ~ bandwidth.user_default.down   50MB -> 80MB   sessions that run, too") || strings.Count(out, "\n") != 1 {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	if code, out, errs := commanded(t, append(ask, "broken.yaml")...); code != exitConfig || !strings.Contains(errs, `unknown key "x"`) {
		t.Errorf("%d, %s%s", code, out, errs)
	}
}

// uses logs in over TLS, stores a file, and is refused one by the policy.
func uses(t *testing.T, address string) {
	t.Helper()
	c, err := userpi.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, trusting, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	conf := trusting.Clone()
	conf.RootCAs, conf.InsecureSkipVerify = nil, true
	if r, err := c.Expect("the greeting", 220); err != nil || !strings.Contains(r.Text(), "Welcome to fra-1.") {
		t.Fatal(r, err)
	}
	if err := errors.Join(c.Protect(conf), c.Identify("alice", "a long password")); err != nil {
		t.Fatal(err)
	}
	for content, code := range map[string]int{"harmless": 226, "-----BEGIN OPENSSH " + "PRIVATE KEY-----": 553} {
		if r, err := c.Put(userpi.EPSV, "STOR file", strings.NewReader(content)); r.Code != code {
			t.Errorf("%v, %v; want %d", r, err, code)
		}
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
}

// served runs serve as a process of its own, which is this program anew, and returns
// the address of its listener on 127.0.0.1. stop ends it, in good order.
func servedBy(t *testing.T, file string) (address string, stop func()) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "--config", file, "--allow-root")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { limit.Stop(); _ = cmd.Process.Kill() })
	var said strings.Builder
	lines := bufio.NewScanner(pipe)
	for address == "" && lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		var record struct {
			Msg       string   `json:"msg"`
			Listeners []string `json:"listeners"`
		}
		if json.Unmarshal(lines.Bytes(), &record) == nil && record.Msg == "ready" {
			i := slices.IndexFunc(record.Listeners, func(a string) bool { return strings.HasPrefix(a, "127.0.0.1:") })
			address = append(record.Listeners, "none")[max(i, 0)]
		}
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		t.Fatalf("the server is not ready: %s", said.String())
	}
	return address, func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		for lines.Scan() {
			said.WriteString(lines.Text() + "\n")
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, said.String())
		}
	}
}
