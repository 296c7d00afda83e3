// Package conformance holds control dialogues as plain text (README.md) and runs
// each of them against a server on the loopback interface.
package conformance

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

func TestMain(m *testing.M) {
	defineFlags()
	goleak.VerifyTestMain(m)
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	return &suite{serverTLS: server, clientTLS: client}
}

// scripts reads every script of this folder.
func scripts(t *testing.T) []script {
	t.Helper()
	paths, err := filepath.Glob("*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var out []script
	for _, p := range paths {
		s, err := readScript(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// Sessions that are never parked, which is all that systems but Linux have.
func TestScripts(t *testing.T) {
	s := newSuite(t)
	s.awake = -1
	playAll(t, s)
}

// Those that are parked whenever nothing of theirs waits to be read say the same.
func TestScriptsParked(t *testing.T) {
	s := newSuite(t)
	s.awake = time.Nanosecond
	playAll(t, s)
}

func playAll(t *testing.T, s *suite) {
	dialogues := 0
	for _, sc := range scripts(t) {
		dialogues += len(sc.dialogues)
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(sc.header, "RFC") && !strings.Contains(sc.header, "draft-") {
				t.Error("the header does not say where the behaviour is defined")
			}
			for _, d := range sc.dialogues {
				t.Run(d.title, func(t *testing.T) {
					t.Parallel()
					play(t, s, sc.name+".txt", d)
				})
			}
		})
	}
	t.Logf("%d dialogues", dialogues)
}
