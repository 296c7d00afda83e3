package pi

import (
	"context"
	"log/slog"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// CommandLog says what of commands stands in the log, at the level debug.
type CommandLog uint8

// What can be told of a command. A password never is, nor what USER was given: people
// type their password there too.
const (
	CommandsOff     CommandLog = iota // nothing
	CommandsSummary                   // its name, the reply and how long it took
	CommandsAll                       // its argument as well
)

// trace logs a command that is done. One that is not in the table never comes here:
// nobody knows what stands in it.
func (s *Session) trace(r *report, code wire.Code) {
	ctx := context.Background()
	if s.conf.Commands == CommandsOff || !s.conf.Log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	what := []slog.Attr{slog.String("event", policy.EventCommandDone.String()), slog.String("command", r.row.Verb),
		slog.Int("reply", int(code)), slog.Float64("seconds", max(0, time.Since(r.began)).Seconds())}
	if s.conf.Commands == CommandsAll && r.args.Given && !r.row.secret() && !r.row.Login {
		what = append(what, slog.String("argument", r.args.Text))
	}
	s.log().LogAttrs(ctx, slog.LevelDebug, "command", what...)
}
