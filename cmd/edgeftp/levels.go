package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// levels are what is logged, of the server and of parts of it. They can be changed while
// messages are written.
type levels struct {
	now        atomic.Pointer[levelTable]
	configured slog.LevelVar // as the configuration has it

	mu    sync.Mutex
	set   map[string]setLevel // by component; the server's own is ""
	timer *time.Timer
}

// setLevel is a level that somebody has set, until a time or for good.
type setLevel struct {
	level slog.Level
	until time.Time
}

// levelTable is what handlers look at.
type levelTable struct {
	own        slog.Leveler // of the server
	components map[string]slog.Level
}

func newLevels(configured string) *levels {
	l := &levels{set: map[string]setLevel{}}
	_ = l.configured.UnmarshalText([]byte(configured)) // checked by config
	l.publish()
	return l
}

// UnmarshalText takes another level of the configuration. What somebody has set stays.
func (l *levels) UnmarshalText(level []byte) error { return l.configured.UnmarshalText(level) }

// publish makes the table anew. The caller holds mu, or nobody else has l yet.
func (l *levels) publish() {
	t := &levelTable{own: &l.configured, components: map[string]slog.Level{}}
	if own, ok := l.set[""]; ok {
		t.own = own.level
	}
	for name, s := range l.set {
		if name != "" {
			t.components[name] = s.level
		}
	}
	l.now.Store(t)
}

// of is the level of a component.
func (t *levelTable) of(component string) slog.Level {
	if level, ok := t.components[component]; ok {
		return level
	}
	return t.own.Level()
}

// least is the lowest of all levels.
func (t *levelTable) least() slog.Level {
	least := t.own.Level()
	for _, level := range t.components {
		least = min(least, level)
	}
	return least
}

// Levels implements control.Leveler.
func (l *levels) Levels() control.Levels {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tell()
}

func (l *levels) tell() control.Levels {
	own := l.set[""]
	out := control.Levels{Level: word(l.now.Load().own.Level()), Until: own.until, Configured: word(l.configured.Level())}
	for _, name := range slices.Sorted(maps.Keys(l.set)) {
		if name != "" {
			out.Components = append(out.Components, control.ComponentLevel{Component: name, Level: word(l.set[name].level), Until: l.set[name].until})
		}
	}
	return out
}

func word(l slog.Level) string { return strings.ToLower(l.String()) }

const (
	maxComponents = 64
	maxLevelTime  = 30 * 24 * time.Hour
)

// SetLevel implements control.Leveler.
func (l *levels) SetLevel(c control.LevelChange) (control.Levels, error) {
	var s setLevel
	if !slices.Contains([]string{"", "debug", "info", "warn", "error"}, c.Level) {
		return control.Levels{}, &control.Refusal{Code: control.CodeLevels, Message: fmt.Sprintf("%.40q is no level", c.Level), Help: "debug, info, warn or error"}
	}
	if c.For < 0 || c.For > maxLevelTime || c.Level == "" && c.For != 0 {
		return control.Levels{}, &control.Refusal{Code: control.CodeLevels, Message: "a level holds for 30 days at most, or until the server ends"}
	}
	if len(c.Component) > 64 || strings.ContainsFunc(c.Component, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return control.Levels{}, &control.Refusal{Code: control.CodeLevels, Message: "that is no name of a component", Help: "it is the attribute component or policy of messages"}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.set[c.Component]; !there && len(l.set) >= maxComponents {
		return control.Levels{}, &control.Refusal{Code: control.CodeLevels, Message: fmt.Sprintf("%d components have a level of their own already", maxComponents)}
	}
	if c.Level == "" {
		delete(l.set, c.Component)
	} else {
		_ = s.level.UnmarshalText([]byte(c.Level)) // one of the four
		if c.For > 0 {
			s.until = time.Now().Add(c.For)
		}
		l.set[c.Component] = s
	}
	l.publish()
	l.schedule()
	return l.tell(), nil
}

// schedule has what ends by itself end. The caller holds mu.
func (l *levels) schedule() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	var next time.Time
	for _, s := range l.set {
		if !s.until.IsZero() && (next.IsZero() || s.until.Before(next)) {
			next = s.until
		}
	}
	if !next.IsZero() {
		l.timer = time.AfterFunc(time.Until(next), l.expire)
	}
}

func (l *levels) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(l.set, func(_ string, s setLevel) bool { return !s.until.IsZero() && !s.until.After(now) })
	l.publish()
	l.schedule()
}

// close ends the timer.
func (l *levels) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
}

// handler puts the levels before a handler that takes everything.
func (l *levels) handler(inner slog.Handler) slog.Handler { return leveled{inner: inner, levels: l} }

// leveled is a handler that asks the levels.
type leveled struct {
	inner     slog.Handler
	levels    *levels
	component string // of With; empty while it is not known
}

// Enabled implements slog.Handler. A message of which the component is not known yet may be
// one that somebody wants.
func (h leveled) Enabled(_ context.Context, level slog.Level) bool {
	t := h.levels.now.Load()
	if h.component == "" {
		return level >= t.least()
	}
	return level >= t.of(h.component)
}

// Handle implements slog.Handler.
func (h leveled) Handle(ctx context.Context, r slog.Record) error {
	if t := h.levels.now.Load(); h.component == "" && len(t.components) > 0 {
		component := ""
		r.Attrs(func(a slog.Attr) bool {
			component = componentOf(a, component)
			return component == ""
		})
		if r.Level < t.of(component) {
			return nil
		}
	}
	return h.inner.Handle(ctx, r)
}

// componentOf is the component that an attribute names, or what is known of it so far.
func componentOf(a slog.Attr, known string) string {
	if a.Key == "component" || a.Key == "policy" {
		return a.Value.Resolve().String()
	}
	return known
}

// WithAttrs implements slog.Handler.
func (h leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.inner = h.inner.WithAttrs(attrs)
	for _, a := range attrs {
		h.component = componentOf(a, h.component)
	}
	return h
}

// WithGroup implements slog.Handler.
func (h leveled) WithGroup(name string) slog.Handler {
	h.inner = h.inner.WithGroup(name)
	return h
}
