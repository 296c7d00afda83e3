package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/workshop"
)

// benchCommand is policy bench.
func (a *admin) benchCommand() *cobra.Command {
	var tests string
	o := workshop.BenchOptions{}
	cmd := &cobra.Command{Use: "bench [DIR|FILE.wasm]", Short: "Measure what a policy's tests cost, in the format of Go's benchmarks", Args: cobra.MaximumNArgs(1),
		Long: "Asks each test of the policy in a folder (default .), or of a built module, over and over, and tells the time, the\n" +
			"fuel and the growth of memory of one question, and those of starting and of compiling it. benchstat reads it.\n" +
			"Fuel is the same on every machine; time is not. A value that a test changes stays changed while it is asked again: a\n" +
			"policy that counts and then refuses is measured refusing."}
	fl := cmd.Flags()
	fl.StringVar(&tests, "tests", "", "file of tests, in the place of the module's own")
	fl.IntVar(&o.Count, "count", 1, "measure everything so often")
	fl.DurationVar(&o.Time, "benchtime", time.Second, "measure each for about so long")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.Count < 1 || o.Time <= 0 {
			return exitWith(exitUsage, errors.New("--count and --benchtime are above zero"))
		}
		s, err := workshop.Open(cmd.Context(), workshop.Source{Path: pathOf(args), Tests: tests, Cache: workshopCache()})
		if err != nil {
			return exitWith(exitFailed, err)
		}
		defer s.Close()
		return exitWith(exitFailed, s.Bench(cmd.Context(), o, cmd.OutOrStdout()))
	}
	return cmd
}
