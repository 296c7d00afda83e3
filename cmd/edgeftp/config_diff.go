package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
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
	cmd := &cobra.Command{Use: "diff FILE FILE", Short: "Show the keys that differ between two configurations", Args: cobra.ExactArgs(2),
		Long: "Shows the keys whose values differ between two configuration files, and when a reload from the first to the second would put each\n" +
			"into force. What is compared is what the files stand for, with all defaults: comments and order of keys do not count. Secrets are\n" +
			"hidden. It exits with 5 if there is a difference."}
	cmd.Flags().StringVarP(&a.output, "output", "o", "human", "human or json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		from, err := config.Load(args[0])
		if err != nil {
			return exitWith(exitConfig, err)
		}
		to, err := config.Load(args[1])
		if err != nil {
			return exitWith(exitConfig, err)
		}
		d := difference{From: args[0], To: args[1], Changes: orNone(config.Diff(from, to))}
		return d.tell(cmd, a)
	}
	return cmd
}

// tell prints the changes. The error says that there are some.
func (d *difference) tell(cmd *cobra.Command, a *admin) error {
	if err := a.show(cmd, d, func(w io.Writer) error { return printChanges(w, d.Changes) }); err != nil || len(d.Changes) == 0 {
		return err
	}
	return exitWith(exitChecks, fmt.Errorf("%s and %s differ in %s", d.From, d.To, keyCount(len(d.Changes))))
}

// keyCount is a number of keys.
func keyCount(n int) string {
	if n == 1 {
		return "1 key"
	}
	return fmt.Sprintf("%d keys", n)
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
		fmt.Fprintf(t, "  %s %s\t%s\t%s\n", sign, oneLine(c.Key), text, inForce(c.Effect))
	}
	return t.Flush()
}

// inForce says when a change holds.
func inForce(e config.Effect) string {
	switch e {
	case config.EffectNow:
		return "now, also for what runs"
	case config.EffectNewSessions:
		return "for new sessions"
	case config.EffectListener:
		return "by a listener that is opened or closed"
	}
	return "by an upgrade, not by a reload"
}
