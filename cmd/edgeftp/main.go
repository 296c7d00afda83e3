// Command edgeftp is a hardened FTP/FTPS server whose decisions are taken by
// policy modules in a sandbox.
//
//	edgeftp serve --root DIR [--policy [NAME=]PATH ...]
//	edgeftp serve --config FILE
//	edgeftp get URL... [TO] | put FILE... URL | ls URL | mirror SOURCE TARGET
//	edgeftp explain CODE
//	edgeftp help COMMAND | TOPIC
//
// docs/commands.md has all commands; exit.go has the exit codes.
package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(profiled(func() int { return run(context.Background(), os.Args[1:], os.Stdout, os.Stderr) }))
}

// rootCommand is the tree of all commands.
func rootCommand(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use: "edgeftp", Short: "A hardened FTP/FTPS server with policy modules",
		SilenceErrors: true, SilenceUsage: true,
		Long: "A hardened FTP/FTPS server whose decisions are taken by policy modules in a sandbox, with its tools and a client.\n" +
			"edgeftp help TOPIC tells more: certificates, client, dns-providers, durability, exit-codes, policies, production, sandbox.",
		Example: "  edgeftp serve --root ./files\n  edgeftp ls ftp://dev@127.0.0.1:2121/ --ca-file .edgeftp/ca.pem\n  edgeftp help exit-codes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return noCommand(cmd, args, "say what to do; edgeftp --help lists the commands")
		},
		Args:              cobra.ArbitraryArgs,
		PersistentPreRunE: fromEnvironment,
	}
	colourFlag(root)
	root.AddCommand(serveCommand(), quickstartCommand(), configCommand(), policyCommand(), bandwidthCommand(), banCommand(), certCommand(), reloadCommand(), statusCommand(), doctorCommand(), versionCommand())
	root.AddCommand(getCommand(), putCommand(), lsCommand(), mirrorCommand(), benchCommand(), bridgeCommand())
	root.AddCommand(logsCommand(), auditCommand(), eventsCommand(), notifyCommand(), drainCommand(), backupCommand(), restoreCommand(), verifyArchiveCommand(), adminCommand())
	root.AddCommand(userCommand())
	root.AddCommand(topCommand(), sessionsCommand(), transfersCommand())
	root.AddCommand(explainCommand(), manCommand())
	root.SetOut(stdout) // which the scripts of completion go to
	root.SetErr(stderr)
	finish(root)
	return root
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand(stdout, stderr)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code := exitUsage
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
	} else { // cobra's own: a wrong number of arguments, a missing flag
		err = misused(cmd, err)
	}
	printError(cmd, stderr, advised(cmd, code, err))
	return code
}
