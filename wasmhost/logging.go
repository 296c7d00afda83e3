package wasmhost

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Lines of log that a policy may write: so many at once, so many a second over
// time.
const (
	logBurst  = 200
	logPerSec = 50
)

// limiter is a bucket of log lines.
type limiter struct {
	mu      sync.Mutex
	lines   float64
	last    time.Time
	dropped atomic.Uint64
}

func newLimiter() *limiter { return &limiter{lines: logBurst, last: time.Now()} }

// allow reports whether one more line may be written, and counts it if not.
func (l *limiter) allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.lines = min(logBurst, l.lines+logPerSec*now.Sub(l.last).Seconds())
	l.last = now
	if l.lines < 1 {
		l.dropped.Add(1)
		return false
	}
	l.lines--
	return true
}

// Subject is what a guest is being asked about when it writes a line: what may stand in it.
type Subject struct {
	Session   *policy.Session // nil of a question without one, and while the guest starts
	Paths     []string        // of files, and names in a directory
	Arguments []string        // of commands, as the client sent them
}

// subject is that of the running call.
func (c *callState) subject() (s Subject) {
	switch q := c.about.(type) {
	case *policy.Login:
		s.Session = q.Session
	case *policy.Action:
		s = Subject{q.Session, []string{q.Path, q.Path2}, []string{q.Arg}}
	case *policy.Listing:
		s = Subject{Session: q.Session, Paths: []string{q.Path}}
		for i := range q.Entries {
			s.Paths = append(s.Paths, q.Entries[i].Name)
		}
	case *policy.Command:
		s = Subject{q.Session, []string{q.Dir}, []string{q.Arg}}
	case *policy.SiteCall:
		s = Subject{q.Session, []string{q.Dir}, []string{q.Arg}}
	case *policy.Transfer:
		s = Subject{Session: q.Session, Paths: []string{q.Path}}
	case *policy.Chunk:
		s = Subject{Session: q.Session, Paths: []string{q.Path}}
	case *policy.Event:
		s = Subject{Session: q.Session, Paths: []string{q.Path, q.Path2}}
		if q.Kind == policy.EventCommandDone {
			_, arg, _ := strings.Cut(q.Text, " ")
			s.Arguments = []string{arg}
		}
	}
	return s
}

// maxRedacted is how much of a line is gone through: more than is written of it.
const maxRedacted = 16 * abi.MaxLog

// logLine writes one line of the guest to the server's log, if the policy has not
// written too many.
func (in *instance) logLine(level slog.Level, b []byte) {
	p := in.policy
	if p.world != nil {
		p.world.Log(escape(b, abi.MaxLog))
		return
	}
	if !p.limits.Log.Enabled(context.Background(), level) || !p.lines.allow() {
		return
	}
	if p.limits.Redact != nil {
		b = []byte(p.limits.Redact(string(b[:min(len(b), maxRedacted)]), in.call.subject()))
	}
	p.limits.Log.LogAttrs(context.Background(), level, escape(b, abi.MaxLog), slog.String("policy", p.name))
}

// remark writes what the host has to say about the guest, as one of the guest's lines.
func (in *instance) remark(text string) {
	if w := in.policy.world; w != nil {
		w.Note(abi.Clean(text, 500))
		return
	}
	in.logLine(slog.LevelWarn, []byte(text))
}

// logOutput writes what the guest sent to its standard output and error in a call
// that went well.
func (in *instance) logOutput(b []byte) { in.logLine(slog.LevelInfo, b) }
