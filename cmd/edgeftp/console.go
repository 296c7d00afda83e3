package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// console is a slog.Handler for people: the time of day, the level, the message
// and key=value pairs in one line.
type console struct {
	out   *lockedWriter
	level slog.Leveler
	attrs string // of With, ready to print
}

// lines is a text that people read below the line of the log, as it is: a compiler's
// words.
type lines string

// indented returns the text for a terminal, with nothing in it that moves the cursor.
func (l lines) indented() string {
	var b strings.Builder
	for line := range strings.Lines(string(l)) {
		b.WriteString("    " + strings.Map(visibleOrTab, strings.TrimRight(line, "\r\n")) + "\n")
	}
	return b.String()
}

func visibleOrTab(r rune) rune {
	if r == '\t' {
		return r
	}
	return visible(r)
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func newConsole(w io.Writer, level slog.Leveler) *console {
	return &console{out: &lockedWriter{w: w}, level: level}
}

// Enabled implements slog.Handler.
func (c *console) Enabled(_ context.Context, l slog.Level) bool { return l >= c.level.Level() }

// Handle implements slog.Handler.
func (c *console) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-5s %-14s%s", r.Time.Format("15:04:05.000"), r.Level, strings.Map(visible, r.Message), c.attrs)
	var below strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		if text, ok := a.Value.Any().(lines); ok {
			below.WriteString(text.indented())
		} else {
			b.WriteString(pair(a))
		}
		return true
	})
	b.WriteByte('\n')
	b.WriteString(below.String())
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	_, err := io.WriteString(c.out.w, b.String())
	return err
}

// WithAttrs implements slog.Handler.
func (c *console) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *c
	for _, a := range attrs {
		next.attrs += pair(a)
	}
	return &next
}

// WithGroup implements slog.Handler; groups are not used here.
func (c *console) WithGroup(string) slog.Handler { return c }

// pair prints one attribute; an empty one is left out, and a value that could
// break the line, or that has spaces, is quoted.
func pair(a slog.Attr) string {
	v := a.Value.Resolve().String()
	if v == "" {
		return ""
	}
	if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == '"' || !strconv.IsPrint(r) }) {
		v = strconv.Quote(v)
	}
	return " " + a.Key + "=" + v
}
