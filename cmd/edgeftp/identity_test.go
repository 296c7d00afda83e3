package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
)

// Root serves where somebody has said so, or as another user; who tries the program out on
// this machine alone is warned.
func TestMayServe(t *testing.T) {
	at := func(address string, i config.Instance) *config.Config {
		return &config.Config{Instance: i, Listeners: []config.Listener{{Name: "a", Addresses: []string{address}}}}
	}
	for _, c := range []struct {
		name            string
		conf            *config.Config
		fromFile, root  bool
		refused, warned bool
	}{
		{"somebody else", at(":21", config.Instance{}), true, false, false, false},
		{"a file", at("127.0.0.1:21", config.Instance{}), true, true, true, false},
		{"a file with a user", at(":21", config.Instance{User: "ftp"}), true, true, false, false},
		{"a file that means it", at(":21", config.Instance{AllowRoot: true}), true, true, false, false},
		{"flags", at(":21", config.Instance{}), false, true, true, false},
		{"flags on this machine alone", at("127.0.0.1:21", config.Instance{}), false, true, false, true},
	} {
		warning, err := mayServeAs(c.conf, c.fromFile, c.root)
		if (err != nil) != c.refused || (warning != "") != c.warned || err != nil && !strings.Contains(err.Error(), "= help:") {
			t.Errorf("%s: %q, %v", c.name, warning, err)
		}
	}
}

// What serve refuses to root, config validate and doctor tell root of.
func TestRootIsTold(t *testing.T) {
	const text = "version: 1\ninstance: { state_dir: state%s }\nlisteners: [{ name: a, address: \"127.0.0.1:2121\", tls: { control: off } }]\n" +
		"storage: [{ root: root }]\nusers: { anonymous: { enabled: true } }\nsandbox: { landlock: off, seccomp: \"off\" }\n"
	workplace(t, map[string]string{"c.yaml": strings.Replace(text, "%s", "", 1), "meant.yaml": strings.Replace(text, "%s", ", allow_root: true", 1)})
	if err := os.MkdirAll("root", 0o755); err != nil {
		t.Fatal(err)
	}
	for file, tells := range map[string]bool{"c.yaml": identity.IsRoot(), "meant.yaml": false} {
		code, out, errs := commanded(t, "config", "validate", file)
		if code != exitOK || out != file+" is in order\n" || strings.Contains(errs, "does not serve as root") != tells || tells != strings.Contains(errs, "exit code 3") {
			t.Errorf("validate %s: exit code %d, %s%s", file, code, out, errs)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "doctor", "--config", file, "-o", "json") // it closes the process that it is
		said, _ := cmd.Output()
		var s sandbox.State
		if err := json.Unmarshal(said, &s); err != nil {
			t.Fatalf("doctor %s: %v: %s", file, err, said)
		}
		wanted := 0
		for _, l := range s.Lacking() {
			if l.Name == "user" && strings.Contains(l.Text, "does not serve as root") && l.Help != "" {
				wanted = exitChecks
			}
		}
		if tells != (wanted == exitChecks) || cmd.ProcessState.ExitCode() != wanted {
			t.Errorf("doctor %s: exit code %d: %s", file, cmd.ProcessState.ExitCode(), said)
		}
	}
}
