package main

import (
	"context"
	"flag"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// TestJudge shows it what is right and what must not go by unseen.
func TestJudge(t *testing.T) {
	reference := regexp.MustCompile(`\(ref ([0-9-]+)\)`)
	reply := func(text string) userpi.Reply { return userpi.Reply{Code: 550, Lines: []string{text}} }
	const a, b = "refused by version A.", "refused by version B."
	for _, tt := range []struct {
		name, said, logged string
		generation         uint64
		wrong              string
	}{
		{"odd", a + " (ref 1-2)", a, 3, ""},
		{"even", b + " (ref 1-2)", b, 4, ""},
		{"another version's words", b + " (ref 1-2)", a, 3, "was logged as generation 3"},
		{"another version's reason", a + " (ref 1-2)", b, 3, "was logged as generation 3"},
		{"the generation before", b + " (ref 1-2)", b, 2, "in force were 3 to 4"},
		{"one that is not there yet", a + " (ref 1-2)", a, 5, "in force were 3 to 4"},
		{"another reference", a + " (ref 1-3)", a, 3, "no line of the log"},
		{"no reference", a, a, 3, "the reply is"},
	} {
		j := &judge{lines: map[string]refusal{}}
		j.begun.Store(4)
		slog.New(j).Warn("refused", "reason", "version refused: "+tt.logged, "policy_gen", tt.generation, "ref", "1-2")
		j.check(reply(tt.said), 3, reference)
		wrong := strings.Join(j.wrong, "; ")
		if j.judged != 1 || (wrong == "") != (tt.wrong == "") || !strings.Contains(wrong, tt.wrong) {
			t.Errorf("%s: found %q, want %q", tt.name, wrong, tt.wrong)
		}
	}
}

func TestJudgeOfEvents(t *testing.T) {
	j := &judge{lines: map[string]refusal{}}
	for _, e := range []policy.Event{
		{Kind: policy.EventDenied, Policy: "version", Generation: 7, Text: "version refused: refused by version A."},
		{Kind: policy.EventDenied, Policy: "version", Generation: 8, Text: "version refused: refused by version A."},
		{Kind: policy.EventPolicyFailed, Policy: "version", Generation: 7, Text: "refused by version A."},
		{Kind: policy.EventFileSent},
	} {
		if err := j.Observe(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
	}
	if j.reported != 3 || len(j.wrong) != 2 {
		t.Errorf("%d events, wrong: %q", j.reported, j.wrong)
	}
}

// TestClasses holds that a command is sorted by when it began alone.
func TestClasses(t *testing.T) {
	const ms = time.Millisecond
	s := &soak{swaps: []span{{100 * ms, 101 * ms}, {200 * ms, 201 * ms}}, asked: []span{
		{99 * ms, 100 * ms},  // at the first
		{90 * ms, 110 * ms},  // met by it, and began before
		{106 * ms, 109 * ms}, // at its end
		{107 * ms, 109 * ms},
		{150 * ms, 155 * ms}, // half-way
		{203 * ms, 210 * ms}, // at the second
		{400 * ms, 401 * ms},
	}}
	at, apart := s.classes()
	if len(at) != 3 || at[0] != 1 || at[1] != 3 || at[2] != 7 || len(apart) != 1 || apart[0] != 5 {
		t.Errorf("at %v, apart %v", at, apart)
	}
}

// TestSmall lets every measurement but the long ones run, with little to do.
func TestSmall(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(context.Context, *flag.FlagSet, []string) error
		args []string
	}{
		{"swap", swap, []string{"-swaps", "20", "-sessions", "6", "-time", "400ms", "-size", "262144"}},
		{"throughput", throughput, []string{"-pairs", "1", "-size", "1048576", "-files", "3"}},
		{"trial", trial, []string{"-runs", "1", "-sessions", "4"}},
		{"data", data, []string{"-rounds", "1"}},
		{"hostile", hostile, []string{"-runs", "1", "-least", "1ms", "-only", "loop", "-dir", "../../../wasmhost/testdata/hostile"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.run(t.Context(), flag.NewFlagSet(tt.name, flag.ContinueOnError), tt.args); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCandidatesAreForged holds that what is offered as bad is as large as it is said
// to be; that it is refused is the host's own test.
func TestCandidatesAreForged(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range candidates() {
		b, err := c.make()
		if err != nil || seen[c.name] {
			t.Errorf("%s: %v", c.name, err)
		}
		seen[c.name] = true
		switch {
		case c.name == "200 MB" && len(b) < 200_000_000, strings.HasPrefix(c.name, "a million") && len(b) < 4_000_000:
			t.Errorf("%s has %d bytes", c.name, len(b))
		}
	}
}
