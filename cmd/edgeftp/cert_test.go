package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// noon is the time of these tests.
func noon() time.Time { return time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC) }

// fakeServer is a controller with certificates and nothing else.
type fakeServer struct {
	control.Controller
	list    []acme.Certificate
	renewed []string
	fail    map[string]error // what comes of renewals
	ca      string           // PEM
}

func (f *fakeServer) Policies() control.Policies { return nil }
func (f *fakeServer) Status() control.Status {
	return control.Status{Version: "1", PID: 7, Since: noon()}
}
func (f *fakeServer) Certificates() []acme.Certificate { return f.list }

func (f *fakeServer) Renew(_ context.Context, name string) (acme.Certificate, error) {
	f.renewed = append(f.renewed, name)
	if err := f.fail[name]; err != nil {
		return acme.Certificate{}, err
	}
	for i := range f.list {
		if c := &f.list[i]; c.Name == name {
			if c.Source == "files" {
				return *c, nil // they have not changed
			}
			c.Serial, c.Names, c.Issuer = "f00d", []string{name}, "R12"
			c.NotBefore, c.NotAfter, c.Failures, c.Failed = noon(), noon().AddDate(0, 0, 90), 0, ""
			return *c, nil
		}
	}
	return acme.Certificate{}, unknownCertificate(name, f.list)
}

func (f *fakeServer) Authority() (control.Authority, error) {
	if f.ca == "" {
		return control.Authority{}, &control.Refusal{Code: "EF2204", Message: "this server has no development authority"}
	}
	return control.Authority{PEM: f.ca}, nil
}

// several are certificates of every kind and state.
func several() []acme.Certificate {
	at := func(days int) time.Time { return noon().AddDate(0, 0, days) }
	ok := acme.Certificate{Name: "ftp.example.org", Names: []string{"ftp.example.org"}, Source: "acme", Issuer: "R11",
		CA: "https://acme-v02.api.letsencrypt.org/directory", Serial: "3ab2", SHA256: "aa:bb", Key: "ECDSA P-256", NotBefore: at(-29), NotAfter: at(61), Renew: at(31)}
	failing := ok
	failing.Name, failing.Names, failing.Serial, failing.NotBefore, failing.NotAfter, failing.Renew = "*.files.example.org", []string{"*.files.example.org"}, "3ab3", at(-70), at(20), at(-10)
	failing.Failed, failing.Failures = "acme-v02.api.letsencrypt.org: *.files.example.org: DNS problem: NXDOMAIN looking up TXT for _acme-challenge.files.example.org\n\x1b[2J", 3
	failing.FailedAt, failing.Next = noon().Add(-20*time.Minute), noon().Add(70*time.Minute)
	due := acme.Certificate{Name: "2001:db8::1", Names: []string{"2001:db8::1"}, Source: "acme", Issuer: "YE1", Serial: "3ab4",
		NotBefore: at(-4), NotAfter: at(2).Add(-time.Hour), Renew: noon().Add(-time.Minute)}
	none := acme.Certificate{Name: "new.example.org", Source: "acme"}
	stuck := acme.Certificate{Name: "stuck.example.org", Source: "acme", Failed: "no route", Help: "check the firewall", Failures: 1, Next: noon().Add(30 * time.Second)}
	asked := ok
	asked.Name, asked.Names, asked.OnDemand = "a.customers.example.org", []string{"a.customers.example.org"}, true
	files := acme.Certificate{Name: "/etc/ssl/old.pem", Names: []string{"old.example.org", "192.0.2.1"}, Source: "files", Issuer: "Example CA", Serial: "1",
		NotBefore: at(-400), NotAfter: at(-3)}
	return []acme.Certificate{ok, failing, due, none, stuck, asked, files}
}

// certRun runs cert commands at noon, against f if it is not nil and on a system of h.
func certRun(t *testing.T, f *fakeServer, h trustHost, args ...string) (text string, code int) {
	t.Helper()
	dir := t.TempDir()
	if f != nil {
		server, err := control.Listen(t.Context(), filepath.Join(dir, "admin.sock"))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- server.Serve(f, slog.New(slog.DiscardHandler)) }()
		defer func() {
			if err := errors.Join(server.Close(), <-done); err != nil {
				t.Error(err)
			}
		}()
	}
	c := &certs{now: noon, host: h}
	root := &cobra.Command{Use: "edgeftp", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(c.command())
	if !strings.Contains(strings.Join(args, " "), "--state-dir") {
		args = append(args, "--state-dir", dir)
	}
	root.SetArgs(append([]string{"cert"}, args...))
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		code = exitUsage
		var exit *exitError
		if errors.As(err, &exit) {
			code = exit.code
		}
		fmt.Fprintln(&out, "error:", err)
	}
	return strings.ReplaceAll(out.String(), dir, "STATE"), code
}

func TestCertListAndShow(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{{"list"}, {"show", "ftp.example.org"}, {"show", "*.files.example.org"}, {"show", "FTP.Example.org."}, {"show", "[2001:DB8::1]"},
		{"show", "192.0.2.1"}, {"show", "new.example.org"}, {"show", "stuck.example.org"}, {"show", "a.customers.example.org"},
		{"show", "ftp.exmaple.org"}, {"show", "elsewhere.test"}, {"show"}, {"list", "-o", "yaml"}, {"shwo"}} {
		text, code := certRun(t, &fakeServer{list: several()}, trustHost{}, args...)
		fmt.Fprintf(&all, "$ edgeftp cert %s\n%s[%d]\n\n", strings.Join(args, " "), text, code)
	}
	golden(t, "cert-list", all.String())
	if strings.Contains(all.String(), "\x1b") {
		t.Error("an authority's words reach the terminal as they are")
	}
	text, code := certRun(t, &fakeServer{}, trustHost{}, "list")
	if code != exitOK || text != "there are no certificates: no listener has TLS\n" {
		t.Errorf("%d %s", code, text)
	}
	if text, code = certRun(t, &fakeServer{}, trustHost{}, "show", "x"); code != exitFailed || !strings.Contains(text, "it has no certificates at all") {
		t.Errorf("%d %s", code, text)
	}
	for _, args := range [][]string{{"list"}, {"show", "x"}, {"renew", "x"}, {"renew", "--all"}, {"ca-export"}} {
		if text, code := certRun(t, nil, trustHost{}, args...); code != exitUnreachable || !strings.Contains(text, "= help: ") {
			t.Errorf("%v without a server: %d %s", args, code, text)
		}
	}
}

// What -o json tells is what the server tells, with the state.
func TestCertJSON(t *testing.T) {
	text, code := certRun(t, &fakeServer{list: several()}, trustHost{}, "list", "-o", "json")
	var list []judged
	if err := json.Unmarshal([]byte(text), &list); err != nil || code != exitOK {
		t.Fatalf("%d, %v\n%s", code, err, text)
	}
	var states []string
	for i, want := range several() {
		if diff := cmp.Diff(want, list[i].Certificate); diff != "" {
			t.Error(diff)
		}
		states = append(states, string(list[i].State))
	}
	if got := strings.Join(states, ", "); got != "ok, failing, due, none yet, none yet, ok, expired" {
		t.Error(got)
	}
	text, code = certRun(t, &fakeServer{}, trustHost{}, "list", "-o", "json")
	if code != exitOK || text != "[]\n" {
		t.Errorf("%d %q", code, text)
	}
	text, _ = certRun(t, &fakeServer{list: several()}, trustHost{}, "show", "ftp.example.org", "-o", "json")
	var one judged
	if err := json.Unmarshal([]byte(text), &one); err != nil || one.State != "ok" || one.Serial != "3ab2" {
		t.Errorf("%v %s", err, text)
	}
}

func TestCertRenew(t *testing.T) {
	var all strings.Builder
	fail := func(names ...string) map[string]error {
		m := map[string]error{}
		for _, n := range names {
			m[n] = &control.Refusal{Code: "EF2202", Message: n + ": CAA record forbids issuance\n   = the certificate in use stays, valid until 2026-11-25 12:00 UTC", Help: "change the CAA record"}
		}
		return m
	}
	for _, c := range []struct {
		args []string
		fail map[string]error
		want string // names that were renewed
	}{
		{[]string{"renew", "*.files.example.org"}, nil, "*.files.example.org"},
		{[]string{"renew", "[2001:db8:0::1]"}, nil, "2001:db8::1"},
		{[]string{"renew", "new.example.org"}, nil, "new.example.org"},
		{[]string{"renew", "old.example.org"}, nil, "/etc/ssl/old.pem"},
		{[]string{"renew", "a.customers.example.org"}, nil, "a.customers.example.org"},
		{[]string{"renew", "ftp.example.org"}, fail("ftp.example.org"), "ftp.example.org"},
		{[]string{"renew", "ftp.example.com"}, nil, ""},
		{[]string{"renew", "--all"}, fail("ftp.example.org", "new.example.org"), "ftp.example.org *.files.example.org 2001:db8::1 new.example.org stuck.example.org"},
		{[]string{"renew", "--all", "x"}, nil, ""},
		{[]string{"renew"}, nil, ""},
		{[]string{"renew", "x", "y"}, nil, ""},
	} {
		f := &fakeServer{list: several(), fail: c.fail}
		text, code := certRun(t, f, trustHost{}, c.args...)
		fmt.Fprintf(&all, "$ edgeftp cert %s\n%s[%d]\n\n", strings.Join(c.args, " "), text, code)
		if got := strings.Join(f.renewed, " "); got != c.want {
			t.Errorf("%v renewed %q, not %q", c.args, got, c.want)
		}
	}
	golden(t, "cert-renew", all.String())
	text, code := certRun(t, &fakeServer{list: several(), fail: fail("ftp.example.org")}, trustHost{}, "renew", "--all", "-o", "json")
	text, _, _ = strings.Cut(text, "error: ")
	var list []renewed
	if err := json.Unmarshal([]byte(text), &list); err != nil || code != exitFailed || len(list) != 5 || list[0].Error == "" || list[0].After != nil ||
		list[1].After.Serial != "f00d" || list[1].Before.Serial != "3ab3" {
		t.Errorf("%d, %v\n%s", code, err, text)
	}
	if text, code := certRun(t, &fakeServer{list: several()[6:]}, trustHost{}, "renew", "--all"); code != exitFailed || !strings.Contains(text, "no certificate that the server could order") {
		t.Errorf("%d %s", code, text)
	}
}

// devAuthority makes a development authority, and returns its directory and PEM.
func devAuthority(t *testing.T) (dir, text string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "dev")
	ca, err := acme.NewDevCA(dir, func() time.Time { return noon().AddDate(0, 0, -2) })
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(ca.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	return dir, string(b)
}

func TestCertExport(t *testing.T) {
	dir, ca := devAuthority(t)
	if text, code := certRun(t, nil, trustHost{}, "ca-export", "--state-dir", dir); code != exitOK || text != ca {
		t.Errorf("of the state directory: %d %s", code, text)
	}
	_, other := devAuthority(t)
	if text, code := certRun(t, &fakeServer{ca: other}, trustHost{}, "ca-export"); code != exitOK || text != other {
		t.Errorf("of the server: %d %s", code, text)
	}
	if text, code := certRun(t, &fakeServer{}, trustHost{}, "ca-export"); code != exitFailed || !strings.Contains(text, "no development authority") {
		t.Errorf("of a server without one: %d %s", code, text)
	}
	if text, code := certRun(t, nil, trustHost{}, "ca-export", "--state-dir", dir, "--socket", filepath.Join(dir, "none")); code != exitUnreachable {
		t.Errorf("of a server that is named and not there: %d %s", code, text)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	text, code := certRun(t, nil, trustHost{}, "ca-export", file, "--state-dir", dir)
	if got, err := os.ReadFile(file); err != nil || string(got) != ca || code != exitOK || !regexp.MustCompile(`ca.pem holds the certificate of edgeftp dev [0-9a-f]{4}, valid until 2026-12-03 \(28 days\)\nSHA-256 `).MatchString(text) {
		t.Errorf("%d, %v %s", code, err, text)
	}
	// What is there is not lost.
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, code := certRun(t, nil, trustHost{}, "ca-export", file, "--state-dir", dir); code != exitFailed || !strings.Contains(text, "replace it with --force") {
		t.Errorf("%d %s", code, text)
	}
	if got, _ := os.ReadFile(file); string(got) != "precious" {
		t.Errorf("%s was overwritten", file)
	}
	if text, code := certRun(t, nil, trustHost{}, "ca-export", file, "--force", "--state-dir", dir); code != exitOK {
		t.Errorf("%d %s", code, text)
	}
	if got, _ := os.ReadFile(file); string(got) != ca {
		t.Errorf("%s was not replaced", file)
	}
	if text, code := certRun(t, nil, trustHost{}, "ca-export", filepath.Dir(file), "--force", "--state-dir", dir); code != exitFailed || !strings.Contains(text, "is no file") {
		t.Errorf("%d %s", code, text)
	}
	// A key that has got into the file is not handed on.
	key, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "ca.pem"), append([]byte(ca), key...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if text, code := certRun(t, nil, trustHost{}, "ca-export", "--state-dir", dir); code != exitFailed || strings.Contains(text, "PRIVATE") || !strings.Contains(text, "is not one certificate in PEM") {
		t.Errorf("%d %s", code, text)
	}
}
