package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/builder"
)

// builderCommand is the process that builds policies for a server. It is of no use to
// people: policy build is.
func builderCommand() *cobra.Command {
	var cache string
	cmd := &cobra.Command{Use: "builder --cache CACHE DIR", Short: "Build a policy for the server that started this", Args: cobra.ExactArgs(1), Hidden: true}
	cmd.Flags().StringVar(&cache, "cache", "", "where built policies are kept")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return exitWith(exitFailed, builder.Serve(cmd.Context(), args[0], cache, os.Stdin, cmd.OutOrStdout()))
	}
	return cmd
}
