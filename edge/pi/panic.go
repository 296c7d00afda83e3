package pi

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
)

// maxPanic is how many bytes of a panic's own words are logged.
const maxPanic = 1 << 10

var errPanicked = errors.New("the server made a mistake")

// LogPanic logs what recover returned, with the stack of the calling goroutine, whose
// deferred function must be the caller. Of a value that is neither an error nor text the
// type alone is told: it may hold what nobody is to read.
func LogPanic(log *slog.Logger, p any) {
	log.Error("a mistake of the server's, or of something that it has called", "panic", panicText(p), "stack", string(debug.Stack()))
}

func panicText(p any) string {
	text := fmt.Sprintf("a value of type %T", p)
	switch p := p.(type) {
	case error:
		text = p.Error()
	case string:
		text = p
	}
	if len(text) > maxPanic {
		text = text[:maxPanic] + "..."
	}
	return text
}

// panicked tells of a panic, in the function that has recovered it.
func (c *Config) panicked(log *slog.Logger, p any) {
	if c.Panicked == nil {
		LogPanic(log, p)
		return
	}
	c.Panicked(log, p)
}

// guard calls fn in a goroutine that has nobody else who recovers.
func (c *Config) guard(log *slog.Logger, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(log, p)
		}
	}()
	fn()
}

// hiding is to be deferred around what knows a secret: should it panic, its words go on
// without that.
func hiding(secret string) {
	p := recover()
	if p == nil {
		return
	}
	if text := panicText(p); secret != "" && strings.Contains(text, secret) {
		panic(strings.ReplaceAll(text, secret, "***"))
	}
	panic(p)
}
