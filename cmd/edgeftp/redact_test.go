package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// What telemetry.log.redact names stands in none of the logs, nor in what a policy module writes, and everything
// does without it.
func TestRedactedLogs(t *testing.T) {
	says, err := filepath.Abs("../../wasmhost/testdata/says.wasm")
	if err != nil {
		t.Fatal(err)
	}
	for _, fields := range []string{"", "user", "peer", "path", "user, peer, path"} {
		r := newReloading(t, "listeners: [{ name: main, address: 127.0.0.1:0, tls: { control: off } }]\nevents: { file: events.log }\n"+
			"telemetry: { log: { redact: ["+fields+"] }, access_log: { file: access.log, format: json, commands: true } }\n"+
			"policies: { modules: [{ name: says, source: "+says+" }] }\n")
		dir := filepath.Dir(r.file)
		if err := os.WriteFile(filepath.Join(dir, "root", "payroll"), []byte("text"), 0o644); err != nil {
			t.Fatal(err)
		}
		visitedBy(t, r)
		var logs strings.Builder
		logs.WriteString(r.said.String())
		until(t, 10*time.Second, "the logs are written", func() bool {
			b, err := os.ReadFile(filepath.Join(dir, "events.log"))
			a, alsoErr := os.ReadFile(filepath.Join(dir, "access.log"))
			return err == nil && alsoErr == nil && strings.Contains(string(b), `"disconnect"`) && strings.Contains(string(a), "QUIT")
		})
		r.stop()
		for _, name := range []string{"events.log", "access.log"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			logs.Write(b)
		}
		text := logs.String()
		for field, words := range map[string][]string{"user": {`:"anonymous"`, `"msg":"anonymous"`}, "peer": {`"remote":"127.0.0.1`, `"msg":"127.0.0.1`}, "path": {"payroll", "nothere"}} {
			for _, w := range words {
				if redacted := strings.Contains(fields, field); strings.Contains(text, w) == redacted {
					t.Errorf("redact: [%s]: %q is there: %v, in\n%s", fields, w, !redacted, text)
				}
			}
		}
		if strings.Contains(text, "my-password") {
			t.Errorf("a password is told:\n%s", text)
		}
	}
}

// visitedBy has a client come, take a file, ask for one that is not there, and go.
func visitedBy(t *testing.T, r *reloading) {
	t.Helper()
	c, err := userpi.Dial(r.addr(0))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("anonymous", "my-password"); err != nil {
		t.Fatal(err)
	}
	if b, err := c.Get(userpi.EPSV, "RETR payroll"); err != nil || string(b) != "text" {
		t.Fatalf("%q, %v", b, err)
	}
	if _, err := c.Must("SIZE nothere", 550); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
}
