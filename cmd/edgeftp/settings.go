package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check, show, compare and lay out configurations, explain their keys, or go back to an earlier one", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return noCommand(cmd, args, "config needs validate, show, diff, fmt, describe, schema, history or rollback")
		}}
	cmd.AddCommand(configHistoryCommand(), configRollbackCommand(), validateCommand(), showCommand(), diffCommand(), formatCommand(),
		&cobra.Command{Use: "describe [KEY]", Short: "Explain a key and those below it, or all", Args: cobra.MaximumNArgs(1), RunE: describe},
		&cobra.Command{Use: "schema", Short: "Print the JSON Schema of the configuration file", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := cmd.OutOrStdout().Write(config.Schema())
				return exitWith(exitFailed, err)
			}})
	return cmd
}

// describe prints the reference, or what it says of one key.
func describe(cmd *cobra.Command, args []string) error {
	var text string
	var err error
	if len(args) == 0 {
		if text, err = config.Reference(); err != nil {
			return exitWith(exitFailed, err)
		}
	} else if text, err = config.Describe(args[0]); err != nil {
		return exitWith(exitUsage, err)
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), text)
	return exitWith(exitFailed, err)
}
