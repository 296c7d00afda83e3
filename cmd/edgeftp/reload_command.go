package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// reloadWait is how long reload --wait waits for sessions of earlier configurations.
const reloadWait = 10 * time.Minute

func reloadCommand() *cobra.Command {
	a := new(admin)
	var file string
	var dry, wait bool
	cmd := &cobra.Command{Use: "reload", Short: "Have a running server take its configuration file again", Args: cobra.NoArgs,
		Long: "Has a running server read its configuration file again, or take another one. It is checked, and made beside the one in force; then all of it\n" +
			"comes into force at once, or nothing. Sessions and transfers go on with what they began with, but limits and rates hold for them too.\n" +
			"Paths in the file are beside the file that serve was given. SIGHUP does the same with that file."}
	cmd.Flags().StringVar(&file, "config", "", "a file to send to the server (default: the one that serve was given, which the server reads)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would change, and when each change comes into force, and change nothing")
	cmd.Flags().BoolVar(&wait, "wait", false, "return when the last session of an earlier configuration has ended, or fail after 10 minutes")
	a.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if dry && wait {
			return exitWith(exitUsage, errors.New("--dry-run and --wait exclude each other"))
		}
		var ask control.ConfigAsk
		if file != "" {
			text, err := config.Read(file)
			if err != nil {
				return exitWith(exitConfig, err)
			}
			if ask.Text = text; len(text) == 0 {
				return exitWith(exitConfig, fmt.Errorf("%s is empty", file))
			}
		}
		return a.reload(cmd, func(ctx context.Context, c control.Client) (control.ConfigResult, error) {
			if dry {
				return c.CheckConfig(ctx, ask)
			}
			return c.ApplyConfig(ctx, ask)
		}, wait)
	}
	return cmd
}

// reload calls the server and tells what has become of a configuration.
func (a *admin) reload(cmd *cobra.Command, call func(context.Context, control.Client) (control.ConfigResult, error), wait bool) error {
	if err := a.form(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), adminTime)
	defer cancel()
	result, err := call(ctx, a.client())
	var no *control.Refusal
	if errors.As(err, &no) && no.Code == control.CodeConfigInvalid {
		return exitWith(exitConfig, err)
	} else if err != nil {
		return told(err)
	}
	if wait {
		if err := a.settled(cmd.Context()); err != nil {
			return err
		}
	}
	if err := a.show(cmd, result, func(w io.Writer) error { printReload(w, &result); return nil }); err != nil {
		return err
	}
	if len(result.Blocked) > 0 {
		return exitWith(exitFailed, needsUpgrade(result.Blocked))
	}
	return nil
}

// settled waits until no session has an earlier configuration.
func (a *admin) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reloadWait)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		st, err := a.client().Status(ctx)
		switch {
		case ctx.Err() != nil:
			return exitWith(exitFailed, errors.New("the configuration is in force, and sessions with an earlier one go on"))
		case err != nil:
			return told(err)
		case st.OldSessions == 0:
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func printReload(w io.Writer, r *control.ConfigResult) {
	switch {
	case r.Applied:
		fmt.Fprintf(w, "generation %d is in force; %s\n", r.Generation, count(len(r.Changes), "key has changed", "keys have changed"))
	case len(r.Changes) == 0:
		fmt.Fprintf(w, "nothing would change; generation %d is in force\n", r.Generation)
	default:
		fmt.Fprintf(w, "%s; nothing was applied\n", count(len(r.Changes), "key would change", "keys would change"))
	}
	if len(r.Changes) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  KEY\tFROM\tTO\tHOLDS FOR")
		for _, c := range r.Changes {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", oneLine(c.Key), valued(oneLine(c.From)), valued(oneLine(c.To)), holdsFor(c.Effect))
		}
		t.Flush()
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, "note:", oneLine(n))
	}
}

// holdsFor is an effect in words.
func holdsFor(effect string) string {
	switch config.Effect(effect) {
	case config.EffectNow:
		return "sessions that run, too"
	case config.EffectNewSessions:
		return "new sessions"
	case config.EffectListener:
		return "ports; sessions stay"
	case config.EffectUpgrade:
		return "an upgrade alone"
	}
	return oneLine(effect)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func configHistoryCommand() *cobra.Command {
	a := new(admin)
	cmd := &cobra.Command{Use: "history", Short: "Show the configurations that a running server has had", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.ConfigHistory(ctx) },
				func(w io.Writer, got any) { printConfigs(w, got.([]control.ConfigEntry)) })
		}}
	a.flags(cmd)
	return cmd
}

func printConfigs(w io.Writer, list []control.ConfigEntry) {
	if len(list) == 0 {
		fmt.Fprintln(w, "No configuration was kept: the server was started by flags.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "GENERATION\tSINCE\tBY\tSHA256\tCHANGED")
	for _, e := range list {
		mark := ""
		if e.Current {
			mark = " *"
		}
		fmt.Fprintf(t, "%d%s\t%s\t%s\t%.12s\t%s\n", e.Generation, mark, e.Since.Local().Format(time.DateTime), oneLine(e.By), oneLine(e.SHA256), dash(keysOf(e.Changed)))
	}
	t.Flush()
}

// keysOf names a few keys.
func keysOf(keys []string) string {
	const most = 3
	text := ""
	for i, k := range keys[:min(most, len(keys))] {
		if i > 0 {
			text += ", "
		}
		text += oneLine(k)
	}
	if n := len(keys) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

func configRollbackCommand() *cobra.Command {
	a := new(admin)
	cmd := &cobra.Command{Use: "rollback [GENERATION]", Short: "Put an earlier configuration of a running server in force again (default: the one before)", Args: cobra.MaximumNArgs(1),
		Long: "Puts one of the last 20 configurations in force again, as a new generation. The configuration file stays as it is: SIGHUP and a restart take that.",
		RunE: func(cmd *cobra.Command, args []string) error {
			var to uint64
			if len(args) > 0 {
				var err error
				if to, err = strconv.ParseUint(args[0], 10, 64); err != nil || to == 0 {
					return exitWith(exitUsage, fmt.Errorf("%q is no generation\n   = help: edgeftp config history lists them", args[0]))
				}
			}
			return a.reload(cmd, func(ctx context.Context, c control.Client) (control.ConfigResult, error) {
				return c.RollbackConfig(ctx, to)
			}, false)
		}}
	a.flags(cmd)
	return cmd
}
