package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/tests/authority"
)

// checked runs a cert command with a configuration file that says the section of
// certificates.acme if it is not empty. FILE in args stands for it.
func checked(t *testing.T, section string, args ...string) (text string, code int) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "edgeftp.yaml")
	text = "version: 1\ninstance: { state_dir: state }\nstorage: [{ root: files }]\nusers: { anonymous: { enabled: true } }\nlisteners:\n"
	if section == "" {
		text += "  - { name: main, address: \"127.0.0.1:2121\" }\n"
	} else {
		text += "  - { name: main, address: \"127.0.0.1:2121\", tls: { certificate: auto } }\ncertificates:\n  acme:\n    agree_to_terms: true\n" + section
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "files"), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	c := &certs{now: noon}
	root := &cobra.Command{Use: "edgeftp", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(c.command())
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "FILE", file)
	}
	root.SetArgs(append([]string{"cert"}, args...))
	var out strings.Builder
	root.SetOut(&out)
	root.SetErr(&out)
	if err := root.ExecuteContext(t.Context()); err != nil {
		code = exitUsage
		var exit *exitError
		if errors.As(err, &exit) {
			code = exit.code
		}
		fmt.Fprintln(&out, "error:", err)
	}
	return strings.ReplaceAll(out.String(), dir, "DIR"), code
}

// The records are those of an account with the authority, and a zone file can hold them.
func TestCertRecords(t *testing.T) {
	ca := authority.Start(t, authority.Options{})
	roots, kept := filepath.Join(t.TempDir(), "roots.pem"), filepath.Join(t.TempDir(), "certificates")
	if err := os.WriteFile(roots, ca.RootsPEM, 0o644); err != nil {
		t.Fatal(err)
	}
	conf := func(storage, domains string) string {
		return fmt.Sprintf("    ca: %q\n    trusted_roots: %q\n    storage: %q\n    domains: [%s]\n    challenges: [dns-persist-01]\n", ca.Directory, roots, storage, domains)
	}
	ours := conf(kept, `ftp.example.org, "*.example.org"`)
	text, code := checked(t, ours, "dns-record", "--config", "FILE")
	if code != exitOK || !strings.HasPrefix(text, "; dns-persist-01 is experimental: ") || !strings.Contains(text, ";   dig +short TXT _validation-persist.ftp.example.org\n") {
		t.Errorf("%d\n%s", code, text)
	}
	values := zone(t, text)
	if len(values) != 2 || !strings.HasPrefix(values[0], "_validation-persist.ftp.example.org. "+authority.Identity+"; accounturi=https://") ||
		!strings.HasPrefix(values[1], "_validation-persist.example.org. ") || !strings.Contains(values[1], "policy=wildcard") {
		t.Errorf("%q\n%s", values, text)
	}
	// One record is enough for a name and its wildcard.
	text, code = checked(t, conf(kept, `ftp.example.org, "*.ftp.example.org"`), "dns-record", "--config", "FILE")
	if values := zone(t, text); code != exitOK || len(values) != 1 || !strings.HasSuffix(values[0], "; policy=wildcard") {
		t.Errorf("%d: %q\n%s", code, values, text)
	}
	// The account is kept, so that the records stay the same.
	text, _ = checked(t, ours, "dns-record", "--config", "FILE")
	if again, _ := checked(t, ours, "dns-record", "--config", "FILE"); again != text {
		t.Errorf("%s\nand then\n%s", text, again)
	}
	text, code = checked(t, ours, "dns-record", "--config", "FILE", "New.example.org", "-o", "json")
	var list []acme.Record
	if err := json.Unmarshal([]byte(text), &list); err != nil || code != exitOK || len(list) != 1 || list[0].Name != "_validation-persist.new.example.org" {
		t.Errorf("%d, %v\n%s", code, err, text)
	}
	if text, code = checked(t, ours, "dns-record", "--config", "FILE", "192.0.2.1"); code != exitFailed || !strings.Contains(text, "addresses have none") {
		t.Errorf("%d\n%s", code, text)
	}
	ca.Status(503, 0)
	for _, c := range []struct {
		conf string
		args []string
		code int
		want string
	}{
		{ours, []string{"a b"}, exitUsage, `"a b" is neither an IP address nor a DNS name`},
		{conf(filepath.Join(t.TempDir(), "new"), "ftp.example.org"), nil, exitFailed, "503"},
		{"", nil, exitConfig, "DIR/edgeftp.yaml names no authority"},
		{"    domains: [\"*\"]\n", nil, exitConfig, "error"},
	} {
		if text, code := checked(t, c.conf, append([]string{"dns-record", "--config", "FILE"}, c.args...)...); code != c.code || !strings.Contains(text, c.want) || !strings.Contains(text, "= help: ") && code != exitUsage {
			t.Errorf("%v: %d\n%s", c.args, code, text)
		}
	}
}

// zone reads a zone file, and returns names and what their TXT records say.
func zone(t *testing.T, text string) (values []string) {
	t.Helper()
	parser := dns.NewZoneParser(strings.NewReader(text), "", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		values = append(values, rr.Header().Name+" "+strings.Join(rr.(*dns.TXT).Txt, ""))
	}
	if err := parser.Err(); err != nil {
		t.Errorf("it is no zone file: %v\n%s", err, text)
	}
	return values
}

// What the challenge does not use yet is said.
func TestRecordsThatAreNotUsed(t *testing.T) {
	var out strings.Builder
	one := acme.Record{Name: "_validation-persist.example.org", Value: "a.test; x", CA: "https://a.test/dir"}
	two := acme.Record{Name: one.Name, Value: "b.test; y", CA: "https://b.test/dir"}
	if err := printRecords(&out, []acme.Record{one, one, two}, false); err != nil {
		t.Fatal(err)
	}
	golden(t, "cert-records", out.String())
}

// Whatever a record says, a zone file says the same.
func FuzzZoneLine(f *testing.F) {
	f.Add("letsencrypt.org; accounturi=https://x.test/acct/1")
	f.Add(`quote " and \ and ` + "\x00\n\xff")
	f.Add(strings.Repeat("0123456789", 80))
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" || len(value) > 4000 {
			return
		}
		line := zoneLine(acme.Record{Name: "_validation-persist.example.org", Value: value})
		if strings.Count(line, "\n") != 1 {
			t.Fatalf("%q has several lines", line)
		}
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		packed := make([]byte, 64<<10)
		n, err := dns.PackRR(rr, packed, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		name, err := dns.PackDomainName(rr.Header().Name, make([]byte, 255), 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		data := packed[name+10 : n] // the strings, each behind its length
		var got []byte
		for len(data) > 0 {
			end := 1 + int(data[0])
			got, data = append(got, data[1:end]...), data[end:]
		}
		if string(got) != value {
			t.Errorf("%q became %q", value, got)
		}
	})
}
