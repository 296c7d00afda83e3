package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// validateCommand is config validate.
func validateCommand() *cobra.Command {
	return &cobra.Command{Use: "validate FILE", Short: "Check a configuration file as serve does, and that nobody else has its challenge ports", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := strangers(cmd.Root(), args[0]); err != nil {
				return err
			}
			if _, err := config.Validate(args[0]); err != nil {
				return exitWith(exitConfig, err)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is in order\n", args[0])
			return exitWith(exitFailed, err)
		}}
}
