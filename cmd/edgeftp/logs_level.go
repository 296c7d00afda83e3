package main

import "github.com/spf13/cobra"

// logsCommand is about the server's log.
func logsCommand() *cobra.Command {
	a := new(admin)
	cmd := &cobra.Command{Use: "logs", Short: "Show and change what a running server logs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	a.flags(cmd)
	cmd.AddCommand(a.levelCommand())
	return cmd
}
