package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check a configuration file, explain its keys, or go back to an earlier one", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return noCommand(cmd, args, "config needs validate, describe, schema, history or rollback")
		}}
	cmd.AddCommand(configHistoryCommand(), configRollbackCommand(),
		&cobra.Command{Use: "validate FILE", Short: "Check a configuration file as serve does, and that nobody else has its challenge ports", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				if _, err := config.Validate(args[0]); err != nil {
					return exitWith(exitConfig, err)
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is in order\n", args[0])
				return exitWith(exitFailed, err)
			}},
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
