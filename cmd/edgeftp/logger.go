package main

import (
	"io"
	"log/slog"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/redact"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// logger returns the log that the configuration asks for, and its levels, which may change.
func logger(conf config.Log, hide *redact.Redactor, out io.Writer) (*slog.Logger, *levels) {
	l := newLevels(conf.Level)
	return slog.New(l.handler(hide.Handler(handler(conf, slog.LevelDebug, out)))), l
}

// handler writes lines for people, or JSON objects.
func handler(conf config.Log, level slog.Leveler, out io.Writer) slog.Handler {
	if conf.Format == "human" {
		return newConsole(out, level)
	}
	return slog.NewJSONHandler(escape.JSON(out), &slog.HandlerOptions{Level: level})
}

// commandLog is what of commands is logged.
func commandLog(word string) pi.CommandLog {
	return map[string]pi.CommandLog{"summary": pi.CommandsSummary, "all": pi.CommandsAll}[word]
}
