package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/acme/check"
	"github.com/edgeftp/edgeftp/tests/authority"
)

func TestFindings(t *testing.T) {
	findings := []check.Finding{
		{Area: "storage", Subject: "/srv/state/certificates", Level: check.OK, Text: "can be written, read and locked"},
		{Area: "dns", Subject: "ftp.example.org", Level: check.Note, Text: "has no AAAA record", Help: "add one if the server has IPv6"},
		{Area: "ports", Subject: "ftp.example.org:80", Level: check.Warn, Text: "answers as \"\x1b[2Jnginx\"", Help: "stop nginx"},
		{Area: "challenge", Subject: "*.ftp.example.org", Level: check.Fail, Text: "a wildcard needs dns-01", Help: "set certificates.acme.dns"},
	}
	var all strings.Builder
	for n := range len(findings) + 1 {
		for _, f := range findings[:n] {
			printFinding(&all, f)
		}
		err := concluded(&all, findings[:n], false)
		fmt.Fprintf(&all, "error: %v\n\n", err)
		var exit *exitError
		if fails := n == len(findings); fails != errors.As(err, &exit) || fails && exit.code != exitChecks {
			t.Errorf("%d findings: %v", n, err)
		}
	}
	golden(t, "cert-check", all.String())
	if strings.Contains(all.String(), "\x1b") {
		t.Error("a stranger's words reach the terminal as they are")
	}
}

// An authority that is not there fails the check.
func TestCertCheckFails(t *testing.T) {
	section := "    ca: https://127.0.0.1:1/dir\n    domains: [ftp.example.org, other.example.org]\n    resolver: \"127.0.0.1:1\"\n    challenges: [dns-persist-01]\n"
	text, code := checked(t, section, "check", "--config", "FILE")
	if code != exitChecks || !regexp.MustCompile(`(?m)^fail  authority  .*\n +. help: `).MatchString(text) || !strings.Contains(text, "error: certificates cannot be had") {
		t.Errorf("%d\n%s", code, text)
	}
	text, code = checked(t, section, "check", "--config", "FILE", "-o", "json", "other.example.org")
	text, _, _ = strings.Cut(text, "error: ")
	var list []map[string]string
	if err := json.Unmarshal([]byte(text), &list); err != nil || code != exitChecks || len(list) == 0 || list[0]["area"] != "storage" ||
		!strings.Contains(text, "other.example.org") || strings.Contains(text, "ftp.example.org") {
		t.Errorf("%d, %v\n%s", code, err, text)
	}
	for _, c := range []struct {
		section, flag string
		code          int
		want          string
	}{{"", "FILE", exitConfig, "names no authority"}, {section, "FILE.none", exitConfig, "cannot be read"}} {
		if text, code := checked(t, c.section, "check", "--config", c.flag); code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d\n%s", c.flag, code, text)
		}
	}
	if text, code := command(t, "cert", "check"); code != exitUsage || !strings.Contains(text, "error: --config is missing\n   = help: edgeftp cert check --config FILE [NAME...]") {
		t.Errorf("%d\n%s", code, text)
	}
}

// The records that dns-record prints are those that check wants.
func TestCertCheckPasses(t *testing.T) {
	ca := authority.Start(t, authority.Options{})
	ca.DNS.Add("ftp.example.org. 60 IN A 127.0.0.1")
	dir := t.TempDir()
	roots := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(roots, ca.RootsPEM, 0o644); err != nil {
		t.Fatal(err)
	}
	section := fmt.Sprintf("    ca: %q\n    trusted_roots: %q\n    storage: %q\n    resolver: %q\n    domains: [ftp.example.org, \"*.example.org\"]\n    challenges: [dns-persist-01]\n    dns_persist: { resolver: %q }\n",
		ca.Directory, roots, filepath.Join(dir, "certificates"), ca.DNS.Addr, ca.DNS.Addr)
	text, code := checked(t, section, "check", "--config", "FILE")
	if code != exitChecks || !strings.Contains(text, "_validation-persist") {
		t.Errorf("without the records: %d\n%s", code, text)
	}
	text, code = checked(t, section, "dns-record", "--config", "FILE")
	if code != exitOK {
		t.Fatalf("%d\n%s", code, text)
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, ";") {
			ca.DNS.Add(line)
		}
	}
	text, code = checked(t, section, "check", "--config", "FILE")
	if code != exitOK || regexp.MustCompile(`(?m)^fail`).MatchString(text) || !strings.Contains(text, "ok    dns        *.example.org: dns-persist-01: ") {
		t.Errorf("with the records: %d\n%s", code, text)
	}
	if n := ca.Orders("ftp.example.org"); n != 0 {
		t.Errorf("%d orders were made", n)
	}
}

func TestSameListener(t *testing.T) {
	for _, c := range []struct {
		wanted, bound string
		want          bool
	}{{":80", "[::]:80", true}, {"127.0.0.1:80", "0.0.0.0:80", true}, {"127.0.0.1:80", "127.0.0.1:80", true}, {"127.0.0.1:80", "127.0.0.2:80", false},
		{":80", "127.0.0.1:80", false}, {":443", "[::]:80", false}, {"x", "[::]:80", false}} {
		if got := sameListener(c.wanted, c.bound); got != c.want {
			t.Errorf("%s, %s: %v", c.wanted, c.bound, got)
		}
	}
}
