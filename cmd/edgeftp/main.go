// Command edgeftp is a hardened FTP/FTPS server whose decisions are taken by
// policy modules in a sandbox.
//
//	edgeftp serve --root DIR [--policy [NAME=]PATH ...]
//	edgeftp serve --config FILE
//	edgeftp config validate FILE | describe [KEY] | schema | history | rollback [GENERATION]
//	edgeftp reload [--config FILE] [--dry-run] [--wait]
//	edgeftp policy list | swap NAME PATH | promote NAME | rollback NAME | history NAME | differences NAME
//	edgeftp policy init --lang LANGUAGE NAME
//	edgeftp policy build [DIR...]
//	edgeftp policy inspect FILE
//	edgeftp policy test | bench [DIR|FILE], run | trace [DIR|FILE] --event QUESTION
//	edgeftp policy keygen -o KEY | sign --key KEY FILE... | verify --trust KEYS FILE...
//	edgeftp policy push FILE oci://HOST/REPOSITORY:TAG | pull oci://... | save oci://... | load FILE.tar -o FILE
//	edgeftp cert list | show NAME | renew NAME | check --config FILE | dns-record --config FILE | trust | ca-export
//	edgeftp bandwidth [set SCOPE | clear NAME]
//	edgeftp ban list | add NETWORK | rm NETWORK
//	edgeftp user list | show NAME | add NAME | set NAME | passwd NAME | disable NAME | enable NAME | rm NAME | hash | import --from FORMAT FILE
//	edgeftp status
//	edgeftp doctor [--config FILE]
//	edgeftp version
//
// It exits with 0 when all went well, 1 when it failed at run time, 2 for wrong
// usage, 3 for an invalid configuration, 4 when no server answers on the admin
// socket and 5 when something that it looked for is missing or wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(profiled(func() int { return run(context.Background(), os.Args[1:], os.Stdout, os.Stderr) }))
}

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // at run time
	exitUsage       = 2
	exitConfig      = 3
	exitUnreachable = 4 // admin socket
	exitChecks      = 5 // a check has found something, such as a missing tool
)

// exitError carries the code with which an error ends the program.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use: "edgeftp", Short: "A hardened FTP/FTPS server with policy modules",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			return noCommand(cmd, args, "say what to do; edgeftp --help lists the commands")
		},
		Args: cobra.ArbitraryArgs,
	}
	root.AddCommand(serveCommand(), configCommand(), policyCommand(), bandwidthCommand(), banCommand(), certCommand(), userCommand(), reloadCommand(), statusCommand(), doctorCommand(), versionCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return exitWith(exitUsage, fmt.Errorf("%w\n   = help: %s --help lists the flags", err, cmd.CommandPath()))
	})
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
	fmt.Fprintln(stderr, "error:", strings.TrimPrefix(err.Error(), "error: "))
	return code
}
