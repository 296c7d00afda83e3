package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// validateCommand is config validate.
func validateCommand() *cobra.Command {
	return &cobra.Command{Use: "validate FILE", Short: "Check a configuration file by doing what serve does before it listens", Args: cobra.ExactArgs(1),
		Long: "Reads the file as serve does, and then does what serve does before it listens: it opens the roots, reads certificates and logs'\n" +
			"directories, builds and loads the policy modules with their settings, and holds all of it against the sandbox. No port is opened,\n" +
			"nothing is fetched, and nothing is changed: what a server keeps is kept in a temporary directory meanwhile. All faults are told at\n" +
			"once. It exits with 3 if there is one. Where root asks, and serve would refuse to serve as root, it warns of that.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := strangers(cmd.Root(), args[0]); err != nil {
				return err
			}
			conf, origins, err := config.ValidateOrigins(args[0])
			if err != nil {
				return exitWith(exitConfig, err)
			}
			if err := rehearse(cmd.Context(), conf, origins, cmd.ErrOrStderr()); err != nil {
				return exitWith(exitConfig, err)
			}
			if _, err := mayServe(conf, true); err != nil { // the service may be another user than who asks
				on, _ := coloured(cmd, cmd.ErrOrStderr())
				fmt.Fprintf(cmd.ErrOrStderr(), "%s root, who asks, would end with exit code %d: %v\n", palette(on).of(yellow, "warning:"), exitConfig, err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is in order\n", args[0])
			return exitWith(exitFailed, err)
		}}
}

// rehearse does everything for a configuration that serve does, but for listening. What
// it warns of is written to out.
func rehearse(ctx context.Context, conf *config.Config, origins *config.Origins, out io.Writer) error {
	faults, err := tryOut(ctx, conf, slog.New(newConsole(out, slog.LevelWarn)), "")
	if err != nil || len(faults) == 0 {
		return err
	}
	return origins.Refuse(faults)
}
