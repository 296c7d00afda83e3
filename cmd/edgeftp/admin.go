package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/builder"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
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

// form checks how the answer is to be told.
func (a *admin) form() error {
	if a.output != "human" && a.output != "json" {
		return exitWith(exitUsage, fmt.Errorf("--output is %q; it can be human or json", a.output))
	}
	return nil
}

// show prints a result in the form that was asked for.
func (a *admin) show(cmd *cobra.Command, v any, human func(io.Writer) error) error {
	if a.output != "json" {
		return exitWith(exitFailed, human(cmd.OutOrStdout()))
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return exitWith(exitFailed, enc.Encode(v))
}

// do calls the server and prints its answer.
func (a *admin) do(cmd *cobra.Command, call func(context.Context, control.Client) (any, error), human func(io.Writer, any)) error {
	if err := a.form(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), adminTime)
	defer cancel()
	got, err := call(ctx, a.client())
	if err != nil {
		return told(err)
	}
	return a.show(cmd, got, func(w io.Writer) error { human(w, got); return nil })
}

// told gives an error of the server, or of the way to it, its exit code.
func told(err error) error {
	if errors.Is(err, control.ErrUnreachable) {
		help := "is the server running? --state-dir or --socket says where it answers"
		if errors.Is(err, fs.ErrPermission) {
			help = "only the server's own user and root may ask it: try sudo"
		}
		return exitWith(exitUnreachable, fmt.Errorf("%w\n   = help: %s", err, help))
	}
	return exitWith(exitFailed, err)
}

// readModule reads a .wasm file, or builds a directory with a policy's source.
func readModule(ctx context.Context, path, cache string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the policy module cannot be read: %w\n   = help: name a .wasm file or a directory with a policy's source", err)
	}
	if info.IsDir() {
		r, err := builder.Build(ctx, path, cache)
		if err != nil {
			return nil, err
		}
		return r.Module, nil
	}
	return os.ReadFile(path)
}

// readSignature reads a signature file. One that is not named need not be there.
func readSignature(path string, named bool) ([]byte, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the signature cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()                           // opened for reading alone
	return io.ReadAll(io.LimitReader(f, trust.MaxSignature+1)) // what is longer is refused by its judge
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

// printBudget tells of the budgets that there are, and what they have cost.
func printBudget(w io.Writer, b *control.Budget) {
	if b.Memory > 0 {
		full := ""
		if b.MemoryFull {
			full = ", full: new connections are turned away"
		}
		fmt.Fprintf(w, "  memory     %d of %d MiB%s\n", b.MemoryUsed>>20, b.Memory>>20, full)
	}
	if b.Descriptors > 0 {
		fmt.Fprintf(w, "  room       for %d sessions, with %d descriptors\n", b.MostSessions, b.Descriptors)
	}
	if b.NoMemory+b.NoDescriptors+b.NoTransfer > 0 {
		fmt.Fprintf(w, "  refused    %d connections for want of memory, %d of descriptors; %d transfers\n", b.NoMemory, b.NoDescriptors, b.NoTransfer)
	}
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
	old := ""
	if st.OldSessions > 0 {
		old = fmt.Sprintf(", %d with an earlier configuration", st.OldSessions)
	}
	fmt.Fprintf(w, "  config     generation %d for %s\n", st.Generation, time.Since(st.ConfigSince).Round(time.Second))
	fmt.Fprintf(w, "  sessions   %d, %d in a transfer%s\n", st.Sessions, st.Transfers, old)
	printBudget(w, &st.Budget)
	if st.Panics > 0 {
		fmt.Fprintf(w, "  mistakes   %d of the server's own, each with its stack in the log: please report them\n", st.Panics)
	}
	if c := st.Certificates; c != nil {
		fmt.Fprintf(w, "  certs      %s\n", certificatesLine(c, time.Now()))
	}
	fmt.Fprintf(w, "  replaced   %d generations held by transfers, %d instances of them\n\n", st.OldGenerations, st.OldInstances)
	printPolicies(w, st.Policies)
}
