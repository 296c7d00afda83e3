package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/builder"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
)

// builderCommand is the process that builds policies for a server, and each process that
// does one build for that. It is of no use to people: policy build is.
func builderCommand() *cobra.Command {
	var o builder.Options
	var serve bool
	cmd := &cobra.Command{Use: "builder --cache CACHE {--serve | DIR}", Short: "Build policies for the server that started this", Args: cobra.MaximumNArgs(1), Hidden: true}
	cmd.Flags().StringVar(&o.Cache, "cache", "", "where built policies are kept")
	cmd.Flags().BoolVar(&serve, "serve", false, "build what is asked for on standard input, until that ends")
	cmd.Flags().StringArrayVar(&o.Dirs, "dir", nil, "a folder that may be built with --serve; repeatable")
	cmd.Flags().StringArrayVar(&o.Once, "once", nil, "a folder that may be built one time with --serve; repeatable")
	cmd.Flags().DurationVar(&o.Limit, "limit", 10*time.Minute, "how long one build may take")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if serve != (len(args) == 0) {
			return noCommand(cmd, nil, "policy builder needs --serve or a folder")
		}
		if !serve {
			return exitWith(exitFailed, builder.Serve(cmd.Context(), args[0], o.Cache, os.Stdin, cmd.OutOrStdout()))
		}
		// What lets a server listen on low ports is nothing for compilers.
		if err = identity.Renounce(); err != nil {
			return exitWith(exitFailed, err)
		}
		if o.Program, err = builder.Self(); err == nil {
			err = builder.Attend(cmd.Context(), o, os.Stdin, cmd.OutOrStdout())
		}
		return exitWith(exitFailed, err)
	}
	return cmd
}
