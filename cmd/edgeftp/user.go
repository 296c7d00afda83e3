package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// userAdmin is what the commands about users have in common.
type userAdmin struct {
	admin
	config string
}

func userCommand() *cobra.Command {
	a := new(userAdmin)
	cmd := &cobra.Command{Use: "user", Short: "Show, make, change and remove users", Args: cobra.ArbitraryArgs,
		Long: "Keeps users in the store of a server, STATE/users.db. A running server is asked over its admin socket, and a change holds for the\n" +
			"next login; without one the store itself is opened. Users of the configuration are shown, and changed there.\n\n" +
			"Sessions of a user who is removed or disabled, or has expired, are ended at once. All other changes leave them as they are, unless\n" +
			"--end-sessions is given. Passwords are asked for, or read from a file, and hashed here: the server never sees one.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return noCommand(cmd, args, "user needs list, show, add, set, passwd, disable, enable, rm, hash or import")
		}}
	a.flags(cmd)
	cmd.PersistentFlags().StringVar(&a.config, "config", "", "the server's configuration file, which says where its state and admin socket are")
	cmd.AddCommand(a.listCommand(), a.showCommand(), a.addCommand(), a.setCommand(), a.passwdCommand(),
		a.ableCommand("disable NAME", "Refuse a user's logins, and end the sessions", true), a.ableCommand("enable NAME", "Let a disabled user in again", false),
		a.removeCommand(), hashCommand(), a.importCommand())
	return cmd
}

// with does something with the users of a running server, or with the store where none
// runs, and prints what came of it.
func (a *userAdmin) with(cmd *cobra.Command, do func(control.Accounts) (any, error), human func(io.Writer, any)) error {
	if err := a.form(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), adminTime)
	defer cancel()
	keeper, done, err := a.open(ctx, cmd)
	if err != nil {
		return err
	}
	got, err := do(keeper)
	if err = errors.Join(err, done()); err != nil {
		return told(err)
	}
	return a.show(cmd, got, func(w io.Writer) error { human(w, got); return nil })
}

// open finds out who keeps the users: a server that answers, else the store itself. Never
// both at once: a server that runs has the store locked.
func (a *userAdmin) open(ctx context.Context, cmd *cobra.Command) (control.Accounts, func() error, error) {
	conf := &config.Config{Instance: config.Instance{StateDir: a.stateDir}, Sources: []string{config.SourceStore}}
	conf.Defaults.Perms = policy.PermReadOnly // as the configuration has it that says nothing
	if a.config != "" {
		var err error
		if conf, err = config.Load(a.config); err != nil {
			return nil, nil, exitWith(exitConfig, err)
		}
		a.stateDir = conf.Instance.StateDir
		if a.socket == "" {
			a.socket = conf.Socket
		}
	}
	client := a.client()
	_, err := client.Status(ctx)
	if err == nil {
		return remoteUsers{ctx, client}, func() error { return nil }, nil
	}
	away := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
	if !errors.Is(err, control.ErrUnreachable) || !away || cmd.Flags().Changed("socket") {
		return nil, nil, told(err)
	}
	return a.openStore(conf, cmd.ErrOrStderr())
}

// openStore opens the store of a server that does not run.
func (a *userAdmin) openStore(conf *config.Config, stderr io.Writer) (control.Accounts, func() error, error) {
	if _, err := os.Stat(conf.Instance.StateDir); err != nil {
		return nil, nil, exitWith(exitUnreachable, fmt.Errorf("no server answers, and its state directory cannot be found: %w\n"+
			"   = help: --config or --state-dir says where it is; before the first start make it: mkdir -m 700 %s", err, conf.Instance.StateDir))
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	keeper, err := openAccounts(conf, log, storeWait)
	if err != nil {
		return nil, nil, exitWith(exitFailed, err)
	}
	return keeper, keeper.close, nil
}

// remoteUsers is the users of a running server.
type remoteUsers struct {
	ctx    context.Context // of one command
	client control.Client
}

var _ control.Accounts = remoteUsers{}

// Users implements control.Accounts.
func (r remoteUsers) Users() ([]control.User, error) { return r.client.Users(r.ctx) }

// User implements control.Accounts.
func (r remoteUsers) User(name string) (control.User, error) { return r.client.User(r.ctx, name) }

// AddUsers implements control.Accounts.
func (r remoteUsers) AddUsers(n control.NewUsers) ([]control.User, error) {
	return r.client.AddUsers(r.ctx, n)
}

// ChangeUser implements control.Accounts.
func (r remoteUsers) ChangeUser(name string, c control.UserChange) (control.User, error) {
	return r.client.ChangeUser(r.ctx, name, c)
}

// RemoveUser implements control.Accounts.
func (r remoteUsers) RemoveUser(name string) (control.User, error) {
	return r.client.RemoveUser(r.ctx, name)
}

func (a *userAdmin) listCommand() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "Show all users, of every source", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(k control.Accounts) (any, error) {
				all, err := k.Users()
				if all == nil {
					all = []control.User{} // JSON has [] then
				}
				return all, err
			}, func(w io.Writer, got any) { printUsers(w, got.([]control.User)) })
		}}
}

func (a *userAdmin) showCommand() *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show one user, and what of the quota is used", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(k control.Accounts) (any, error) { return k.User(args[0]) }, printUser)
		}}
}

func (a *userAdmin) removeCommand() *cobra.Command {
	return &cobra.Command{Use: "rm NAME", Short: "Remove a user, and end the sessions; the files stay", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(k control.Accounts) (any, error) { return k.RemoveUser(args[0]) },
				func(w io.Writer, got any) { printDone(w, "removed", got.(control.User)) })
		}}
}

func (a *userAdmin) ableCommand(use, short string, disabled bool) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			settings, err := json.Marshal(map[string]bool{"disabled": disabled})
			if err != nil {
				return exitWith(exitFailed, err)
			}
			return a.with(cmd, func(k control.Accounts) (any, error) {
				return k.ChangeUser(args[0], control.UserChange{Settings: settings})
			}, func(w io.Writer, got any) { printDone(w, cmd.Name()+"d", got.(control.User)) })
		}}
}
