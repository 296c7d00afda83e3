package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/acme"
)

// otherHost is a system in a directory of the test, with the programs that are named.
type otherHost struct {
	trustHost
	ran    []string
	broken bool // programs fail
}

func newHost(t *testing.T, dir string, programs ...string) *otherHost {
	t.Helper()
	h := &otherHost{trustHost: trustHost{goos: "linux", root: t.TempDir()}}
	if err := os.MkdirAll(h.root+dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h.look = func(program string) error {
		for _, p := range programs {
			if p == program {
				return nil
			}
		}
		return errors.New("not found")
	}
	h.run = func(_ context.Context, line string) ([]byte, error) {
		h.ran = append(h.ran, line)
		if h.broken {
			return []byte("rehash: \x1b[1mno space\n"), errors.New("exit status 1")
		}
		return []byte("1 added, 0 removed; done.\n"), nil
	}
	return h
}

// files lists what is in a store.
func (h *otherHost) files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(h.root + dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

const debianDir = "/usr/local/share/ca-certificates"

func TestTrustPrints(t *testing.T) {
	dir, ca := devAuthority(t)
	steady := func(text string) string {
		for _, p := range [][2]string{{`edgeftp dev [0-9a-f]{4}`, "edgeftp dev CCCC"}, {`(?:[0-9a-f]{2}:){31}[0-9a-f]{2}`, "FINGERPRINT"},
			{`edgeftp-dev-[0-9a-f]{8}`, "edgeftp-dev-FFFFFFFF"}, {`Root [0-9a-f]+`, "Root SERIAL"}, {regexp.QuoteMeta(dir), "/srv/state"}} {
			text = regexp.MustCompile(p[0]).ReplaceAllString(text, p[1])
		}
		return text
	}
	var all strings.Builder
	for _, system := range systemNames() {
		text, code := certRun(t, nil, newHost(t, "").trustHost, "trust", "--for", system, "--state-dir", dir)
		fmt.Fprintf(&all, "$ edgeftp cert trust --for %s\n%s[%d]\n\n", system, steady(text), code)
	}
	// Of a server whose state directory is not known.
	text, code := certRun(t, &fakeServer{ca: ca}, newHost(t, debianDir, "update-ca-certificates").trustHost, "trust")
	fmt.Fprintf(&all, "$ edgeftp cert trust\n%s[%d]\n\n", steady(text), code)
	golden(t, "cert-trust", all.String())
}

// Each system is told by what it has.
func TestTrustChooses(t *testing.T) {
	dir, _ := devAuthority(t)
	for _, c := range []struct{ dir, program, want string }{
		{debianDir, "update-ca-certificates", "debian"},
		{"/etc/pki/ca-trust/source/anchors", "update-ca-trust", "redhat"},
		{"/etc/ca-certificates/trust-source/anchors", "update-ca-trust", "arch"},
		{"/etc/pki/trust/anchors", "update-ca-certificates", "suse"},
		{"", "trust", "p11-kit"},
		{debianDir, "", ""},
		{"", "update-ca-certificates", ""},
	} {
		h := newHost(t, c.dir, c.program)
		text, code := certRun(t, nil, h.trustHost, "trust", "--state-dir", dir, "-o", "json")
		var plan trustPlan
		if c.want == "" {
			if code != exitFailed || !strings.Contains(text, "--for SYSTEM") {
				t.Errorf("%+v: %d %s", c, code, text)
			}
		} else if err := json.Unmarshal([]byte(text), &plan); err != nil || plan.System != c.want || len(plan.Install) == 0 || len(plan.Remove) == 0 {
			t.Errorf("%+v: %v %s", c, err, text)
		}
		if len(h.ran) > 0 || c.dir != "" && len(h.files(t, c.dir)) > 0 {
			t.Errorf("%+v: it did something: %v", c, h.ran)
		}
	}
	for goos, want := range map[string]string{"darwin": "macos", "windows": "windows"} {
		h := trustHost{goos: goos, root: t.TempDir()}
		if s, err := h.choose(""); err != nil || s.name != want {
			t.Errorf("%s: %+v, %v", goos, s, err)
		}
		if text, code := certRun(t, nil, h, "trust", "--install", "--state-dir", dir); code != exitFailed || !strings.Contains(text, "nothing was changed") {
			t.Errorf("%s: %d %s", goos, code, text)
		}
	}
}

func TestTrustInstallsAndRemoves(t *testing.T) {
	dir, ca := devAuthority(t)
	h := newHost(t, debianDir, "update-ca-certificates")
	store := h.root + debianDir
	for _, name := range []string{"corporate.crt", "edgeftp-dev-corporate.crt"} { // somebody else's
		if err := os.WriteFile(filepath.Join(store, name), []byte("theirs"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, code := certRun(t, nil, h.trustHost, "trust", "--install", "--state-dir", dir)
	names := h.files(t, debianDir)
	if code != exitOK || len(names) != 3 || len(h.ran) != 1 || h.ran[0] != "update-ca-certificates" {
		t.Fatalf("%d %v %v\n%s", code, names, h.ran, text)
	}
	var path string
	for _, n := range names {
		if regexp.MustCompile(`^edgeftp-dev-[0-9a-f]{8}\.crt$`).MatchString(n) {
			path = filepath.Join(store, n)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != ca {
		t.Errorf("%s: %v\n%s", path, err, got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v %v", info, err)
	}
	if !strings.Contains(text, "wrote "+path+"\nran   update-ca-certificates\n    1 added, 0 removed; done.\n") || !strings.Contains(text, "is trusted by this system, valid until 2026-12-03") {
		t.Error(text)
	}
	if text, code := certRun(t, nil, h.trustHost, "trust", "--install", "--state-dir", dir); code != exitOK || len(h.files(t, debianDir)) != 3 {
		t.Errorf("twice: %d %s", code, text)
	}
	// It is removed also when its authority has gone.
	text, code = certRun(t, nil, h.trustHost, "trust", "--remove")
	if names := h.files(t, debianDir); code != exitOK || len(names) != 2 || h.ran[2] != "update-ca-certificates --fresh" || !strings.Contains(text, "removed "+path+"\n") {
		t.Errorf("%d %v %v\n%s", code, names, h.ran, text)
	}
	if text, code := certRun(t, nil, h.trustHost, "trust", "--remove"); code != exitOK || !strings.Contains(text, "there is no development authority") || len(h.ran) != 3 {
		t.Errorf("%d %s", code, text)
	}
}

// Nothing is left behind by what failed, and nothing done by who may not.
func TestTrustRefuses(t *testing.T) {
	dir, _ := devAuthority(t)
	h := newHost(t, debianDir, "update-ca-certificates")
	h.broken = true
	text, code := certRun(t, nil, h.trustHost, "trust", "--install", "--state-dir", dir)
	if names := h.files(t, debianDir); code != exitFailed || len(names) != 0 || !strings.Contains(text, "was removed again") || strings.Contains(text, "\x1b") {
		t.Errorf("%d %v %s", code, names, text)
	}
	user := newHost(t, debianDir, "update-ca-certificates")
	user.uid = 1000
	for _, flag := range []string{"--install", "--remove"} {
		if text, code := certRun(t, nil, user.trustHost, "trust", flag, "--state-dir", dir); code != exitFailed || !strings.Contains(text, "needs root; nothing was changed") || len(user.ran) > 0 {
			t.Errorf("%d %s", code, text)
		}
	}
	old := filepath.Join(t.TempDir(), "old")
	if _, err := acme.NewDevCA(old, func() time.Time { return noon().AddDate(0, 0, -40) }); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(foreign, []byte(foreignCA(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{foreign, "--install"}, exitFailed, `is the certificate of "CN=Somebody", and no development authority`},
		{[]string{foreign}, exitFailed, "no development authority"},
		{[]string{filepath.Join(dir, "ca.key"), "--install"}, exitFailed, "is not one certificate in PEM"},
		{[]string{filepath.Join(dir, "none")}, exitFailed, "cannot be read"},
		{[]string{filepath.Join(old, "ca.pem"), "--install"}, exitFailed, "expired on 2026-10-26; nothing was changed"},
		{[]string{"--install", "--remove"}, exitUsage, "exclude each other"},
		{[]string{"--install", "--for", "suse"}, exitUsage, "only prints"},
		{[]string{"--remove", foreign}, exitUsage, "takes no file"},
		{[]string{"--for", "plan9"}, exitUsage, `"plan9" is not one of redhat, arch`},
	} {
		h := newHost(t, debianDir, "update-ca-certificates")
		text, code := certRun(t, nil, h.trustHost, append([]string{"trust", "--state-dir", dir}, c.args...)...)
		if code != c.code || !strings.Contains(text, c.want) || len(h.ran) > 0 || len(h.files(t, debianDir)) > 0 {
			t.Errorf("%v: %d %s", c.args, code, text)
		}
	}
}

func TestShellWords(t *testing.T) {
	for _, c := range [][3]string{
		{"debian", "/a/b-c_d.pem", "/a/b-c_d.pem"}, {"debian", "/a b/$c", "'/a b/$c'"}, {"debian", "it's", `'it'\''s'`}, {"debian", `C:\x`, `'C:\x'`},
		{"windows", `C:\x\ca.pem`, `C:\x\ca.pem`}, {"windows", `C:\my files\ca.pem`, `"C:\my files\ca.pem"`},
	} {
		if got := shellWord(c[0], c[1]); got != c[2] {
			t.Errorf("%s: %s, not %s", c[1], got, c[2])
		}
	}
}
