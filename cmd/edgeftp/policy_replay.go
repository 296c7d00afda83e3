package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/record"
)

// replayCommand is policy replay.
func (a *admin) replayCommand() *cobra.Command {
	var against, old, settings, oldSettings string
	var fail bool
	cmd := &cobra.Command{Use: "replay FILE --against MODULE", Short: "Ask another module what was recorded, and tell what it would answer otherwise", Args: cobra.ExactArgs(1),
		Long: "Asks the module (.wasm, or a directory of source) every question of a recording, with what the server told the recorded\n" +
			"one, and compares the answers with those of then, or with --policy those of another module that is asked as well.\n" +
			"Nothing is changed or fetched. In a recording without names an answer may differ for the names alone: give --policy then."}
	fl := cmd.Flags()
	fl.StringVar(&against, "against", "", "the new module")
	fl.StringVar(&old, "policy", "", "the module to compare it with (default: the recorded answers)")
	fl.StringVar(&settings, "settings", "", "file with the settings of the new module, a JSON object")
	fl.StringVar(&oldSettings, "policy-settings", "", "file with those of --policy (default those of --settings)")
	fl.BoolVar(&fail, "fail", false, "exit with 1 if any answer differs")
	_ = cmd.MarkFlagRequired("against") // the flag is there
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		if oldSettings == "" {
			oldSettings = settings
		}
		list, _, err := readRecording(args[0])
		if err == nil && len(list) == 0 {
			err = fmt.Errorf("%s: nothing was recorded", args[0])
		}
		if err != nil {
			return exitWith(exitFailed, err)
		}
		report, err := replay(cmd.Context(), list, against, settings, old, oldSettings)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		err = a.show(cmd, report, func(w io.Writer) error { return printReport(w, report, old != "") })
		if err == nil && fail && report.Differ > 0 {
			err = fmt.Errorf("%d of %d answers differ", report.Differ, report.Exchanges)
		}
		return exitWith(exitFailed, err)
	}
	return cmd
}

func replay(ctx context.Context, list []*record.Exchange, against, settings, old, oldSettings string) (*record.Report, error) {
	h, err := wasmhost.New(ctx, wasmhost.Config{Compile: 5 * time.Minute})
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }() // only waits
	var o record.Options
	if o.New, err = replayed(ctx, h, against, settings); err != nil {
		return nil, err
	}
	defer func() { _ = o.New.Close() }()
	if old != "" {
		if o.Old, err = replayed(ctx, h, old, oldSettings); err != nil {
			return nil, err
		}
		defer func() { _ = o.Old.Close() }()
	}
	return record.Replay(ctx, list, o)
}

// replayed loads a module that gets its answers from a recording.
func replayed(ctx context.Context, h *wasmhost.Host, path, settings string) (*wasmhost.Policy, error) {
	module, err := readModule(ctx, path, buildCache())
	if err != nil {
		return nil, err
	}
	facts, err := h.Examine(subject, module, wasmhost.LoadOptions{})
	if err != nil {
		return nil, err
	}
	var with json.RawMessage
	if settings != "" {
		if with, err = readJSON(settings); err != nil {
			return nil, fmt.Errorf("settings: %w", err)
		}
	}
	store, err := kv.Open("", kv.Options{}) // never asked: all comes from the recording
	if err != nil {
		return nil, err
	}
	p, err := h.Load(ctx, subject, module, wasmhost.LoadOptions{Settings: with, Grant: everything(store, &facts.Manifest), Intercept: record.Answer})
	return p, errors.Join(err, store.Close())
}

// groupsShown is how many kinds of differences people are told.
const groupsShown = 40

func printReport(w io.Writer, r *record.Report, asked bool) error {
	fmt.Fprintf(w, "%d questions: %d same, %d differ", r.Exchanges, r.Same, r.Differ)
	if r.Failed > 0 {
		fmt.Fprintf(w, " (%d fail)", r.Failed)
	}
	rate := float64(r.Exchanges) / max(r.Took.Seconds(), 1e-9)
	fmt.Fprintf(w, "; %.0f a second, fuel a question %d -> %d\n", rate, r.OldFuel/int64(r.Exchanges), r.NewFuel/int64(r.Exchanges))
	if r.Asked > 0 {
		fmt.Fprintf(w, "%d asked the server what was not asked then, and were told that there is nothing\n", r.Asked)
	}
	if r.Hidden > 0 && !asked && r.Differ > 0 {
		fmt.Fprintln(w, "the names of the recording are not the real ones: a policy that looks at them may answer otherwise for that alone (--policy OLD asks both)")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range r.Groups {
		g := &r.Groups[i]
		if i == groupsShown {
			fmt.Fprintf(t, "  ... and %d other kinds (-o json tells them)\n", len(r.Groups)-i)
			break
		}
		fmt.Fprintf(t, "  %dx\t%s -> %s\t%s\t%s\n", g.Count, g.Was, g.Now, strings.TrimSpace(g.Hook+" "+g.Op), strings.Map(visible, g.Where))
		if g.Error != "" {
			fmt.Fprintf(t, "\t%s\n", strings.Map(visible, g.Error))
		}
	}
	return t.Flush()
}
