package guesttest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/event"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/fs"
	"github.com/edgeftp/edgeftp/guest-sdk/go/guesttest"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

// refuser is the package's policy.
type refuser struct{ text string }

func (*refuser) Name() string { return "refuser" }

func (r *refuser) Hooks() policy.Hooks { return policy.Hooks{Authorizer: r, Observer: r} }

func (r *refuser) Authorize(context.Context, *policy.Action) (policy.Answer, error) {
	return policy.Answer{Verdict: policy.Deny, Text: r.text}, nil
}

func (r *refuser) Observe(context.Context, *policy.Event) error { return nil }

func (r *refuser) configure(b []byte) error {
	s := settings.Parse(b)
	r.text = s.String("text", "no")
	return s.Err()
}

func init() {
	r := new(refuser)
	edgeftp.Configure(r.configure)
	edgeftp.Export(r)
}

func TestRun(t *testing.T) { guesttest.Run(t, "testdata/tests.json") }

// TestRunFails runs this test again in a process of its own, with files that do not fit
// the policy.
func TestRunFails(t *testing.T) {
	if file := os.Getenv("GUESTTEST_FILE"); file != "" {
		guesttest.Run(t, file)
		return
	}
	for text, says := range map[string]string{
		`{"tests": [{"name": "one", "hook": "fs", "op": "write", "path": "/a", "want": {"action": "pass"}}]}`: `one: got deny ("no"), want pass`,
		`{"tests": [{"name": "two", "hook": "auth", "user": "a", "want": {"action": "pass"}}]}`:               "two: the policy has no such hook: auth",
		`{"settings": {"txt": 1}, "tests": []}`:                                                               `settings: unknown setting "txt"`,
		`{"test": []}`:                                                                                        `unknown field "test"`,
		``:                                                                                                    "no such file",
	} {
		file := t.TempDir() + "/tests.json"
		if text != "" {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestRunFails$")
		cmd.Env = append(os.Environ(), "GUESTTEST_FILE="+file)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), says) {
			t.Errorf("%s: %v\n%s", text, err, out)
		}
	}
}
