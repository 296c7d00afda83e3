package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// difference is what config diff tells.
type difference struct {
	From    string          `json:"from"`
	To      string          `json:"to"`
	Changes []config.Change `json:"changes"`
}

// diffCommand is config diff.
func diffCommand() *cobra.Command {
	a := &admin{}
	var against string
	cmd := &cobra.Command{Use: "diff FILE FILE | --against running [FILE]", Short: "Show the keys that differ between two configurations", Args: cobra.MaximumNArgs(2),
		Long: "Shows the keys whose values differ between two configuration files, and when a reload from the first to the second would put each\n" +
			"into force. What is compared is what the files stand for, with all defaults: comments and order of keys do not count. With\n" +
			"--against running the first is what a running server has in force, and the second a file, or the one that the server was started\n" +
			"with; the server reads it, with its own environment and beside its own file. Secrets are hidden. It exits with 5 if there is a difference."}
	cmd.Flags().StringVar(&against, "against", "", "running: compare with the configuration of a running server")
	a.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		switch {
		case against != "" && against != "running":
			return exitWith(exitUsage, fmt.Errorf("--against is %q; it can be running", against))
		case against == "" && len(args) != 2:
			return exitWith(exitUsage, errors.New("config diff takes two files\n   = help: edgeftp config diff --against running FILE compares with a server"))
		case against == "":
			return a.compareFiles(cmd, args[0], args[1])
		case len(args) > 1:
			return exitWith(exitUsage, errors.New("config diff --against running takes one file"))
		case len(args) == 1:
			return a.compareRunning(cmd, args[0])
		}
		return a.compareRunning(cmd, "")
	}
	return cmd
}

func (a *admin) compareFiles(cmd *cobra.Command, first, second string) error {
	from, err := config.Load(first)
	if err != nil {
		return exitWith(exitConfig, err)
	}
	to, err := config.Load(second)
	if err != nil {
		return exitWith(exitConfig, err)
	}
	d := difference{From: first, To: second, Changes: orNone(config.Diff(from, to))}
	return d.tell(cmd, a)
}

// compareRunning asks a server what a file would change; an empty name is the file that
// the server has.
func (a *admin) compareRunning(cmd *cobra.Command, file string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), adminTime)
	defer cancel()
	var ask control.ConfigAsk
	d := difference{From: "what is running", To: cmp.Or(file, "the server's file"), Changes: []config.Change{}}
	if file != "" {
		text, err := config.Read(file)
		if err != nil {
			return exitWith(exitConfig, err)
		}
		if ask.Text = text; len(text) == 0 {
			return exitWith(exitConfig, fmt.Errorf("%s is empty", file))
		}
	}
	result, err := a.client().CheckConfig(ctx, ask)
	var no *control.Refusal
	if errors.As(err, &no) && no.Code == control.CodeConfigInvalid {
		return exitWith(exitConfig, err)
	} else if err != nil {
		return told(err)
	}
	for _, c := range result.Changes {
		d.Changes = append(d.Changes, config.Change{Key: c.Key, From: c.From, To: c.To, Effect: config.Effect(c.Effect)})
	}
	return d.tell(cmd, a)
}

// tell prints the changes. The error says that there are some.
func (d *difference) tell(cmd *cobra.Command, a *admin) error {
	if err := a.show(cmd, d, func(w io.Writer) error { return printChanges(w, d.Changes) }); err != nil || len(d.Changes) == 0 {
		return err
	}
	return exitWith(exitChecks, fmt.Errorf("%s and %s differ in %s", d.From, d.To, count(len(d.Changes), "key", "keys")))
}

// printChanges writes one line for each change: + is a key that is new, - one that is
// gone.
func printChanges(w io.Writer, list []config.Change) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, c := range list {
		sign, text := "~", oneLine(c.From)+" -> "+oneLine(c.To)
		switch "" {
		case c.From:
			sign, text = "+", oneLine(c.To)
		case c.To:
			sign, text = "-", oneLine(c.From)
		}
		fmt.Fprintf(t, "  %s %s\t%s\t%s\n", sign, oneLine(c.Key), text, holdsFor(string(c.Effect)))
	}
	return t.Flush()
}
