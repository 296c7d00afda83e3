package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/doctor"
	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// doctorCommand is policy doctor.
func (a *admin) doctorCommand() *cobra.Command {
	var settings string
	cmd := &cobra.Command{Use: "doctor FILE", Short: "Tell how far a module keeps the guest ABI, and what helps", Args: cobra.ExactArgs(1),
		Long: "Looks at a module (.wasm, or a directory of source) as a server does, and asks it the golden questions of the ABI: whether its\n" +
			"answers keep the rules, are the same twice, and whether its memory grows. Nothing is fetched, and files are not there.\n" +
			"It exits with 1 if a server would refuse the module or its answers."}
	cmd.Flags().StringVar(&settings, "settings", "", "file with the settings, a JSON object (default: those of the module's own tests)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		module, err := readModule(cmd.Context(), args[0], buildCache())
		if err != nil {
			return exitWith(exitFailed, err)
		}
		o := doctor.Options{}
		if settings != "" {
			if o.Settings, err = readJSON(settings); err != nil {
				return exitWith(exitFailed, fmt.Errorf("--settings: %w", err))
			}
		}
		store, err := kv.Open("", kv.Options{})
		if err != nil {
			return exitWith(exitFailed, err)
		}
		defer func() { _ = store.Close() }() // in memory only
		o.Grant = func(m *wasmhost.Manifest) wasmhost.Grant { return everything(store, m) }
		report, err := doctor.Examine(cmd.Context(), module, o)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		err = a.show(cmd, report, func(w io.Writer) error { return printChecks(w, report) })
		if err == nil && !report.Healthy() {
			err = errors.New("a server would refuse this module")
		}
		return exitWith(exitFailed, err)
	}
	return cmd
}

func printChecks(w io.Writer, r *doctor.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Result, c.Name, strings.Map(visible, c.Found))
		if c.Help != "" {
			fmt.Fprintf(t, "\t\t= help: %s\n", strings.Map(visible, c.Help))
		}
	}
	return t.Flush()
}
