package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/gobuild"
)

// adminTime is how long a subcommand waits for the server: compiling a large
// module takes seconds.
const adminTime = 2 * time.Minute

// admin is what the subcommands that talk to a server have in common.
type admin struct {
	stateDir string
	socket   string
	output   string
}

// flags adds the common flags to a command and its subcommands.
func (a *admin) flags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&a.stateDir, "state-dir", ".edgeftp", "the server's state directory")
	cmd.PersistentFlags().StringVar(&a.socket, "socket", "", "the server's admin socket (default STATE/admin.sock)")
	cmd.PersistentFlags().StringVarP(&a.output, "output", "o", "human", "human or json")
}

func (a *admin) client() control.Client {
	path := a.socket
	if path == "" {
		path = filepath.Join(a.stateDir, "admin.sock")
	}
	return control.Client{Path: path}
}

// do calls the server and prints its answer.
func (a *admin) do(cmd *cobra.Command, call func(context.Context, control.Client) (any, error), human func(io.Writer, any)) error {
	if a.output != "human" && a.output != "json" {
		return exitWith(exitUsage, fmt.Errorf("--output is %q; it can be human or json", a.output))
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), adminTime)
	defer cancel()
	got, err := call(ctx, a.client())
	switch {
	case errors.Is(err, control.ErrUnreachable):
		return exitWith(exitUnreachable, fmt.Errorf("%w\n   = help: is the server running? --state-dir or --socket says where it answers", err))
	case err != nil:
		return exitWith(exitFailed, err)
	}
	if a.output == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return exitWith(exitFailed, enc.Encode(got))
	}
	human(cmd.OutOrStdout(), got)
	return nil
}

func policyCommand() *cobra.Command {
	a := new(admin)
	cmd := &cobra.Command{Use: "policy", Short: "List, swap and roll back the policies of a running server",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return exitWith(exitUsage, errors.New("policy needs list, swap or rollback"))
		}, Args: cobra.ArbitraryArgs}
	a.flags(cmd)
	one := func(w io.Writer, got any) { printPolicies(w, []control.Policy{got.(control.Policy)}) }
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the policies in the order in which they are asked", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) {
					st, err := c.Status(ctx)
					return st.Policies, err
				}, func(w io.Writer, got any) { printPolicies(w, got.([]control.Policy)) })
			}},
		&cobra.Command{Use: "swap NAME PATH", Short: "Put a module (.wasm, or a directory of Go) in a policy's place", Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				module, err := readModule(cmd.Context(), args[1], filepath.Join(a.stateDir, "cache", "build"))
				if err != nil {
					return exitWith(exitFailed, err)
				}
				return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Swap(ctx, args[0], module) }, one)
			}},
		&cobra.Command{Use: "rollback NAME", Short: "Bring back the module that the last swap replaced", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Rollback(ctx, args[0]) }, one)
			}})
	return cmd
}

// readModule reads a .wasm file, or builds a directory with a Go main package.
func readModule(ctx context.Context, path, cache string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the policy module cannot be read: %w\n   = help: name a .wasm file or a directory with a Go main package", err)
	}
	if info.IsDir() {
		module, _, err := gobuild.Build(ctx, path, cache)
		return module, err
	}
	return os.ReadFile(path)
}

func printPolicies(w io.Writer, policies []control.Policy) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tGEN\tKIND\tDIGEST\tHOOKS\tCALLS\tDENIED\tFAILED\tINSTANCES\tSINCE")
	for _, p := range policies {
		digest := p.Digest
		if len(digest) > 19 {
			digest = digest[:19]
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\n", p.Name, p.Generation, p.Kind, dash(digest),
			dash(strings.Join(p.Hooks, ",")), p.Calls, p.Denied, p.Failed, p.Instances, p.Since.Format(time.RFC3339))
	}
	t.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func statusCommand() *cobra.Command {
	a := new(admin)
	cmd := &cobra.Command{Use: "status", Short: "Show what a running server is doing", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Status(ctx) }, printStatus)
		}}
	a.flags(cmd)
	return cmd
}

func printStatus(w io.Writer, got any) {
	st := got.(control.Status)
	state := "serving"
	if st.Draining {
		state = "draining"
	}
	fmt.Fprintf(w, "edgeftp %s  pid %d  %s %s for %s\n", st.Version, st.PID, state, st.Root, time.Since(st.Since).Round(time.Second))
	for _, l := range st.Listeners {
		fmt.Fprintf(w, "  listening  %s  TLS %s\n", l.Address, l.TLS)
	}
	fmt.Fprintf(w, "  sessions   %d, %d in a transfer\n", st.Sessions, st.Transfers)
	fmt.Fprintf(w, "  replaced   %d generations held by transfers, %d instances of them\n\n", st.OldGenerations, st.OldInstances)
	printPolicies(w, st.Policies)
}
