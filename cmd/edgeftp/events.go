package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/events"
	"github.com/edgeftp/edgeftp/policies/eventlog"
)

func eventsCommand() *cobra.Command {
	a := new(admin)
	cmd := &cobra.Command{Use: "events", Short: "Follow what happens on a running server", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	a.flags(cmd)
	var filters []string
	tail := &cobra.Command{Use: "tail", Short: "Show events as they happen, until it is stopped", Args: cobra.NoArgs,
		Long: "Shows events as they happen. Who reads too slowly loses some, and is told how many. Filters: --filter kind=login,denied,\n" +
			"--filter user=alice, --filter session=12. Kinds: " + strings.Join(events.Kinds(), ", ") + ".\n" +
			"There is none for each command: the access log has those.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.form(); err != nil {
				return err
			}
			f, err := eventFilter(filters)
			if err != nil {
				return exitWith(exitUsage, err)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.tail(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), f)
		}}
	tail.Flags().StringArrayVar(&filters, "filter", nil, "kind=KIND[,KIND], user=NAME or session=NUMBER; repeatable")
	cmd.AddCommand(tail)
	return cmd
}

// eventFilter reads filters of a command line.
func eventFilter(list []string) (f events.Filter, err error) {
	for _, s := range list {
		key, value, ok := strings.Cut(s, "=")
		switch {
		case !ok || value == "":
			err = fmt.Errorf("--filter %q has no value", s)
		case key == "kind":
			f.Kinds = append(f.Kinds, strings.Split(value, ",")...)
		case key == "user":
			f.User = value
		case key == "session":
			f.Session, err = strconv.ParseUint(value, 10, 64)
		default:
			err = fmt.Errorf("--filter %q: there is no such filter", s)
		}
		if err != nil {
			return f, fmt.Errorf("%w\n   = help: kind=login,denied, user=alice or session=12", err)
		}
	}
	return f, nil
}

func (a *admin) tail(ctx context.Context, out, info io.Writer, f events.Filter) error {
	err := a.client().Follow(ctx, f, func(e eventlog.Record) error {
		if a.output != "json" {
			_, err := io.WriteString(out, eventLine(&e))
			return err
		}
		line, err := e.AppendTo(nil)
		if err == nil {
			_, err = out.Write(append(line, '\n'))
		}
		return err
	}, func(n uint64) {
		fmt.Fprintf(info, "%d events were lost: they came faster than they could be shown\n", n)
	})
	if err != nil {
		return told(err)
	}
	if ctx.Err() == nil {
		fmt.Fprintln(info, "The server has ended the stream.")
	}
	return nil
}

// eventLine is an event for people.
func eventLine(e *eventlog.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-24s", e.Time.Local().Format("15:04:05.000"), oneLine(e.Event))
	field := func(name, value string) {
		if value != "" {
			b.WriteString(" " + name + "=" + oneLine(value))
		}
	}
	if e.Session > 0 {
		field("sess", strconv.FormatUint(e.Session, 10))
	}
	field("user", e.User)
	field("remote", e.Remote)
	field("op", e.Op)
	field("path", e.Path)
	field("path2", e.Path2)
	if e.Bytes != nil {
		field("bytes", strconv.FormatInt(*e.Bytes, 10))
	}
	if e.Seconds != nil {
		field("took", time.Duration(*e.Seconds*float64(time.Second)).Round(time.Millisecond).String())
	}
	if e.Code != 0 {
		field("code", strconv.Itoa(e.Code))
	}
	field("policy", e.Policy)
	field("text", e.Text)
	return b.String() + "\n"
}

// levelCommand is edgeftp logs level.
func (a *admin) levelCommand() *cobra.Command {
	var length string
	cmd := &cobra.Command{Use: "level [[COMPONENT=]LEVEL]", Short: "Show or change what is logged", Args: cobra.MaximumNArgs(1),
		Long: "Without a level it shows what is logged. LEVEL is debug, info, warn or error, of the whole server or of one COMPONENT: what\n" +
			"messages have as component or policy. An empty one (COMPONENT= or default) takes a change back.",
		RunE: func(cmd *cobra.Command, args []string) error {
			show := func(w io.Writer, got any) { printLevels(w, got.(control.Levels), time.Now()) }
			if len(args) == 0 {
				return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Levels(ctx) }, show)
			}
			change, err := levelChange(args[0], length)
			if err != nil {
				return exitWith(exitUsage, err)
			}
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.SetLevel(ctx, change) }, show)
		}}
	cmd.Flags().StringVar(&length, "for", "", "how long, such as 10m; then it goes back by itself (default: until the server ends)")
	return cmd
}

// levelChange reads [COMPONENT=]LEVEL.
func levelChange(text, length string) (c control.LevelChange, err error) {
	c.Level = text
	if component, level, ok := strings.Cut(text, "="); ok {
		c.Component, c.Level = component, level
	} else if text == "default" {
		c.Level = ""
	}
	if length != "" {
		if c.For, err = parseFor(length); err != nil {
			return c, err
		}
	}
	return c, nil
}

func printLevels(w io.Writer, l control.Levels, now time.Time) {
	line := func(name, level string, until time.Time) {
		text := ""
		if !until.IsZero() {
			text = "  for " + until.Sub(now).Round(time.Second).String() + " more"
		}
		fmt.Fprintf(w, "%-20s %s%s\n", oneLine(name), level, text)
	}
	line("everything", l.Level, l.Until)
	for _, c := range l.Components {
		line(c.Component, c.Level, c.Until)
	}
	if l.Level != l.Configured {
		fmt.Fprintf(w, "The configuration says %s.\n", l.Configured)
	}
}

func drainCommand() *cobra.Command {
	a := new(admin)
	var limit string
	var cancel bool
	cmd := &cobra.Command{Use: "drain", Short: "Let a running server run empty, and stop it then", Args: cobra.NoArgs,
		Long: "From now on no session begins: clients are answered 421. Sessions that there are go on. The server stops when the last one has\n" +
			"ended, or when the limit is over; transfers that still run then are aborted. --cancel takes it back.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			length, err := parseFor(limit)
			if limit != "" && (err != nil || cancel) {
				return exitWith(exitUsage, fmt.Errorf("--limit is a time such as 10m, and goes with no --cancel"))
			}
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) {
				if cancel {
					return c.CancelDrain(ctx)
				}
				return c.Drain(ctx, length)
			}, func(w io.Writer, got any) { printDrain(w, got.(control.DrainState), time.Now()) })
		}}
	a.flags(cmd)
	cmd.Flags().StringVar(&limit, "limit", "", "how long at most, such as 10m (default instance.drain_timeout)")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "let sessions begin again")
	return cmd
}

func printDrain(w io.Writer, d control.DrainState, now time.Time) {
	if !d.Draining {
		fmt.Fprintf(w, "The server takes new sessions; %d are open, %d in a transfer.\n", d.Sessions, d.Transfers)
		return
	}
	fmt.Fprintf(w, "The server takes no new sessions and stops in %s at the latest; %d are open, %d in a transfer.\n", d.Until.Sub(now).Round(time.Second), d.Sessions, d.Transfers)
}
