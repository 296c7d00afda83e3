package eventlog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
)

// TestConformance also holds that what came out of it, many writing at one time and
// names that are not UTF-8, is one object on each line.
func TestConformance(t *testing.T) {
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy {
		path := filepath.Join(t.TempDir(), "events.json")
		l, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { wholeLines(t, path) })
		return l
	},
		policytest.Case{Event: event(policy.EventLogin)},
		policytest.Case{Name: "nothing known", Event: &policy.Event{}},
	)
}

func wholeLines(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil || r.Event == "" || line[len(line)-1] != '\n' {
			t.Fatalf("%q: %v", line, err)
		}
	}
}

// TestConformanceOfLosses is about a writer that takes nothing.
func TestConformanceOfLosses(t *testing.T) {
	policytest.TestPolicy(t, func(*testing.T) policy.Policy { return New(broken{}) },
		policytest.Case{Event: event(policy.EventLogin), Fails: true})
}
