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
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
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
	reason   string
}

// flags adds the common flags to a command and its subcommands.
func (a *admin) flags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&a.stateDir, "state-dir", ".edgeftp", "the server's state directory")
	cmd.PersistentFlags().StringVar(&a.socket, "socket", "", "the server's admin socket (default STATE/admin.sock)")
	cmd.PersistentFlags().StringVarP(&a.output, "output", "o", "human", "human or json")
	cmd.PersistentFlags().StringVar(&a.reason, "reason", "", "why, for the server's audit log")
}

func (a *admin) client() control.Client {
	path := a.socket
	if path == "" {
		path = filepath.Join(a.stateDir, "admin.sock")
	}
	return control.Client{Path: path, Reason: a.reason}
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
	enc := json.NewEncoder(escape.JSON(cmd.OutOrStdout()))
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
