package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// A level holds for the server or a part of it, for a while or for good, over what the
// configuration says, which may change meanwhile.
func TestLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newLevels("warn")
		defer l.close()
		log := slog.New(l.handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		said := func() string {
			out.Reset()
			log.Debug("d")
			log.Info("i")
			log.Warn("w")
			log.With("policy", "guard").Debug("gd")
			log.Debug("gd2", "policy", "guard")
			log.With("component", "tls").WithGroup("x").Info("ti")
			var b strings.Builder
			for line := range strings.Lines(out.String()) {
				_, rest, _ := strings.Cut(line, "msg=")
				word, _, _ := strings.Cut(rest, " ")
				b.WriteString(strings.TrimSpace(word) + " ")
			}
			return strings.TrimSpace(b.String())
		}
		set := func(c control.LevelChange) {
			t.Helper()
			if _, err := l.SetLevel(c); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(want string) {
			t.Helper()
			if got := said(); got != want {
				t.Errorf("said %q, want %q", got, want)
			}
		}
		expect("w")
		set(control.LevelChange{Component: "guard", Level: "debug", For: time.Hour})
		expect("w gd gd2")
		set(control.LevelChange{Level: "debug", For: time.Minute})
		set(control.LevelChange{Component: "tls", Level: "error"})
		expect("d i w gd gd2")
		if now := l.Levels(); now.Level != "debug" || now.Configured != "warn" || len(now.Components) != 2 || now.Components[0].Component != "guard" {
			t.Errorf("%+v", now)
		}
		<-time.After(time.Minute + time.Second)
		expect("w gd gd2")
		_ = l.UnmarshalText([]byte("info"))
		expect("i w gd gd2")
		<-time.After(time.Hour)
		expect("i w")
		set(control.LevelChange{Component: "tls"})
		expect("i w ti")
		for _, bad := range []control.LevelChange{{Level: "loud"}, {Level: "debug", For: -1}, {For: 1}, {Level: "info", Component: "a b"}, {Level: "info", For: 1000 * time.Hour}} {
			var r *control.Refusal
			if _, err := l.SetLevel(bad); !errors.As(err, &r) || r.Code != "EF2155" {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		for i := range maxComponents + 1 {
			_, err := l.SetLevel(control.LevelChange{Component: "c" + strings.Repeat("x", i%60) + string(rune('a'+i/60)), Level: "info"})
			if (err != nil) != (i >= maxComponents) {
				t.Errorf("component %d: %v", i, err)
			}
		}
	})
}
