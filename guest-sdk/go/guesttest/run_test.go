package guesttest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/fs"
	"github.com/edgeftp/edgeftp/guest-sdk/go/guesttest"
	"github.com/edgeftp/edgeftp/guest-sdk/go/host"
	"github.com/edgeftp/edgeftp/guest-sdk/go/kv"
	"github.com/edgeftp/edgeftp/guest-sdk/go/metric"
	"github.com/edgeftp/edgeftp/guest-sdk/go/random"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

// refuser is the package's policy. It asks around before it refuses.
type refuser struct {
	text string
	kv   policy.KV
}

func (*refuser) Name() string { return "refuser" }

func (r *refuser) Hooks() policy.Hooks { return policy.Hooks{Authorizer: r, Observer: r} }

func (r *refuser) Authorize(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	if a.Session.VHost != "" {
		return policy.Answer{Verdict: policy.Deny, Text: "not at " + a.Session.VHost}, nil
	}
	if a.Session.Protocol != "" {
		return policy.Answer{Verdict: policy.Deny, Text: "not over " + a.Session.Protocol}, nil
	}
	if a.DataPeer.IsValid() {
		return policy.Answer{Verdict: policy.Deny, Text: "not to " + a.DataPeer.String()}, nil
	}
	e, _ := host.Services{}.Stat(ctx, a.Path) // what is not there has no bytes
	n, err := r.kv.Incr("seen", 1, 0)
	if err != nil {
		return policy.Answer{}, err
	}
	metric.Add("seen", 1)
	var b [1]byte
	random.Fill(b[:])
	edgeftp.Log(edgeftp.Info, "refused")
	status := ""
	if answer, err := fetch.Do(&fetch.Request{URL: "https://a.example/"}, 0); err != nil {
		status = err.Error()
	} else {
		status = strconv.Itoa(answer.Status)
	}
	return policy.Answer{Verdict: policy.Deny, Text: fmt.Sprint(r.text, " ", e.Size, " ", n, " ", status)}, nil
}

func (r *refuser) Observe(context.Context, *policy.Event) error { return nil }

func (r *refuser) configure(b []byte) error {
	s := settings.Parse(b)
	r.text = s.String("text", "no")
	return s.Err()
}

func init() {
	r := &refuser{kv: kv.Open()}
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
		`{"tests": [{"name": "one", "hook": "fs", "op": "write", "path": "/a", "want": {"action": "pass"}}]}`: `one: got deny`,
		`{"tests": [{"name": "two", "hook": "auth", "user": "a", "want": {"action": "pass"}}]}`:               "two: the policy has no such hook: auth",
		`{"settings": {"txt": 1}, "tests": []}`:                                                               `settings: unknown setting "txt"`,
		`{"test": []}`:                                                                                        `unknown key "test"`,
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
