package main

import (
	"fmt"
	"io"
	"log/slog"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// logger returns the log that the configuration asks for, and its levels, which may change.
func logger(conf config.Log, out io.Writer) (*slog.Logger, *levels) {
	l := newLevels(conf.Level)
	return slog.New(l.handler(handler(conf, slog.LevelDebug, out))), l
}

// handler writes lines for people, or JSON objects.
func handler(conf config.Log, level slog.Leveler, out io.Writer) slog.Handler {
	if conf.Format == "human" {
		return newConsole(out, level)
	}
	return slog.NewJSONHandler(harmless{out}, &slog.HandlerOptions{Level: level})
}

// commandLog is what of commands is logged.
func commandLog(word string) pi.CommandLog {
	return map[string]pi.CommandLog{"summary": pi.CommandsSummary, "all": pi.CommandsAll}[word]
}

// harmless writes lines of JSON in which nothing can steer a terminal: slog leaves DEL,
// the controls above ASCII, and all that turns or hides text as it is. They are written
// as escapes, which mean the same; none of them occurs outside of a string.
type harmless struct{ io.Writer }

// Write implements io.Writer.
func (h harmless) Write(line []byte) (int, error) {
	if plainLine(line) {
		return h.Writer.Write(line)
	}
	n := len(line)
	out := make([]byte, 0, n+64)
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		switch {
		case r == '\n' || unicode.IsPrint(r) && (r != utf8.RuneError || size > 1):
			out = append(out, line[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		line = line[size:]
	}
	if _, err := h.Writer.Write(out); err != nil {
		return 0, err
	}
	return n, nil
}

// plainLine reports whether a line is of printable ASCII alone, but for its end.
func plainLine(line []byte) bool {
	for i, c := range line {
		if (c < ' ' || c > '~') && (c != '\n' || i != len(line)-1) {
			return false
		}
	}
	return true
}
