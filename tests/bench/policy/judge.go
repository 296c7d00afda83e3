package main

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// judge holds every refusal that a client got against what the server says of it, in
// its log by the reference in the reply and in its events: generation n of the policy
// speaks as version A if n is odd, and as version B if it is even.
type judge struct {
	begun, done atomic.Uint64 // generations of which the swap has begun, and is done

	mu       sync.Mutex
	lines    map[string]refusal // by reference
	judged   int                // replies
	reported int                // events
	wrong    []string
}

// refusal is a line of the log.
type refusal struct {
	generation uint64
	reason     string
}

// version is what generation n says.
func version(n uint64) string {
	if n%2 == 1 {
		return "refused by version A."
	}
	return "refused by version B."
}

// judged checks the reply to a command that was sent when low was the generation in
// force; reference is how replies and lines of the log are tied together.
func (j *judge) check(r userpi.Reply, low uint64, reference *regexp.Regexp) {
	high := j.begun.Load()
	m := reference.FindStringSubmatch(r.Text())
	j.mu.Lock()
	defer j.mu.Unlock()
	j.judged++
	if r.Code != 550 || m == nil {
		j.fault("the reply is %q", r)
		return
	}
	line, ok := j.lines[m[1]]
	delete(j.lines, m[1])
	switch {
	case !ok:
		j.fault("no line of the log belongs to %q", r)
	case line.generation < low || line.generation > high:
		j.fault("%q is generation %d's, in force were %d to %d", r, line.generation, low, high)
	case !strings.HasPrefix(r.Text(), version(line.generation)) || !strings.Contains(line.reason, version(line.generation)):
		j.fault("%q was logged as generation %d with the reason %q", r, line.generation, line.reason)
	}
}

// fault notes what is wrong. The caller holds mu.
func (j *judge) fault(format string, args ...any) {
	if len(j.wrong) < 20 {
		j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
	}
}

// Enabled implements [slog.Handler].
func (j *judge) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements [slog.Handler].
func (j *judge) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup implements [slog.Handler].
func (j *judge) WithGroup(string) slog.Handler { return j }

// Handle implements [slog.Handler]. It keeps the lines about refusals.
func (j *judge) Handle(_ context.Context, r slog.Record) error {
	var ref string
	var line refusal
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "ref":
			ref = a.Value.String()
		case "policy_gen":
			line.generation = a.Value.Uint64()
		case "reason":
			line.reason = a.Value.String()
		}
		return true
	})
	if ref != "" {
		j.mu.Lock()
		j.lines[ref] = line
		j.mu.Unlock()
	}
	return nil
}

// Name implements [policy.Policy].
func (j *judge) Name() string { return "judge" }

// Hooks implements [policy.Policy].
func (j *judge) Hooks() policy.Hooks { return policy.Hooks{Observer: j} }

// Observe implements [policy.Observer].
func (j *judge) Observe(_ context.Context, e *policy.Event) error {
	if e.Kind != policy.EventDenied && e.Kind != policy.EventPolicyFailed {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reported++
	if e.Kind != policy.EventDenied || e.Policy != "version" || !strings.Contains(e.Text, version(e.Generation)) {
		j.fault("the event %v of %s, generation %d, says %q", e.Kind, e.Policy, e.Generation, e.Text)
	}
	return nil
}
