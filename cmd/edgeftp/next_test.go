package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/manual"
)

// Whatever a newcomer forgets or writes too much, the error says what to do next. No
// server runs, and the directory is empty.
func TestErrorsSayWhatNext(t *testing.T) {
	t.Chdir(t.TempDir())
	left := map[string]bool{"edgeftp doctor": true} // which shuts the process off, for good
	for _, c := range manual.Visible(rootCommand(io.Discard, io.Discard)) {
		path := c.CommandPath()
		if left[path] {
			continue
		}
		for _, more := range [][]string{nil, {"nonsense"}, {"nonsense", "nonsense"}, {"nonsense", "a", "b", "c", "d"}, {"--nonsense"}} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			var out, stderr bytes.Buffer
			args := append(strings.Fields(path)[1:], more...)
			code := run(ctx, args, &out, &stderr)
			cancel()
			if text := stderr.String(); code != exitOK && !strings.Contains(text, "= help: ") {
				t.Errorf("%s %s: exit code %d\n%s", path, strings.Join(more, " "), code, text)
			}
		}
	}
}

// What newcomers have stumbled over has an answer of its own.
func TestAnswersToNewcomers(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"files", "state"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("users", []byte("ann:$apr1$abc$x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"serve", "edgeftp init writes a configuration for the Internet"},
		{"serve --root .", "such as --state-dir ../edgeftp-state"},
		{"user add anna --state-dir state --root files", "--generate makes one up"},
		{"user import --state-dir state --from apache users", "= help: the format: htpasswd, pure-pw"},
		{"user import --state-dir state --from htpasswd users", "1 user cannot be taken over"},
		{"user add anna --state-dir state --generate --settings x", "= help: write one such as '{\"max_sessions\": 3}'"},
		{"transfers throttle 1-1 fast", `RATE: "fast" is not`},
		{"verify users", "= help: name a file that edgeftp backup --out FILE wrote"},
		{"config fmt nowhere.yaml", "= help: check the path"},
	} {
		var out, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(tt.args), &out, &stderr); code == exitOK || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("edgeftp %s: exit code %d, no %q\n%s", tt.args, code, tt.want, stderr.String())
		}
	}
	if _, _, err := new(history).text(0, 1); err == nil || !strings.Contains(err.Error(), "no configuration was kept: the server was started by flags") {
		t.Errorf("a rollback where nothing was kept: %v", err)
	}
}
