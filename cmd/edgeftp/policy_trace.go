package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/workshop"
)

// traceCommand is policy trace.
func (a *admin) traceCommand() *cobra.Command {
	var q asking
	var tree, all, folded bool
	var times int
	cmd := &cobra.Command{Use: "trace [DIR|FILE.wasm]", Short: "Tell in which functions of a policy the fuel of a question goes", Args: cobra.MaximumNArgs(1),
		Long: "Asks the policy in a folder (default .), or a built module, one question as policy run does, and tells for each of its\n" +
			"functions how often it was called, and the fuel that it used itself and with all that it called. Functions have\n" +
			"the names of the module's name section, which optimising compilers may leave out; imports have their own."}
	q.flags(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&tree, "tree", false, "show who called whom")
	fl.BoolVar(&all, "all", false, "leave out nothing that is cheap")
	fl.IntVar(&times, "times", 1, "ask so often, and trace the last; the first question of a new instance may do more than the others")
	fl.BoolVar(&folded, "folded", false, "write the stacks for a flame graph, one a line")
	if err := cmd.MarkFlagRequired("event"); err != nil {
		panic(err) // the flag is there
	}
	cmd.MarkFlagsMutuallyExclusive("folded", "tree")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		src, err := q.source(pathOf(args))
		if err != nil {
			return exitWith(exitFailed, err)
		}
		src.Traced, src.Patient = true, true
		c, err := q.question()
		if err != nil {
			return exitWith(exitFailed, err)
		}
		s, err := workshop.Open(cmd.Context(), src)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		defer s.Close()
		t, err := s.Trace(cmd.Context(), c, times)
		switch {
		case err != nil:
			return exitWith(exitFailed, err)
		case folded:
			return exitWith(exitFailed, t.Folded(cmd.OutOrStdout()))
		}
		return a.show(cmd, t, func(w io.Writer) error { return t.Print(w, tree, all) })
	}
	return cmd
}
