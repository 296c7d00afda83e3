package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/manual"
)

// completeTime is how long a shell waits for names that a running server has.
const completeTime = 2 * time.Second

// completer finds what an argument may be.
type completer = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// complete tells the shells what arguments and flags can be, where a command has not
// said so itself.
func complete(root *cobra.Command) {
	words := map[string]completer{
		"ban rm":             served(1, bannedNetworks),
		"bandwidth set":      bandwidthArguments,
		"bandwidth clear":    served(1, limitedUsers),
		"cert show":          served(1, certificateNames),
		"cert renew":         served(1, certificateNames),
		"cert ca-export":     files("pem"),
		"cert trust":         files("pem"),
		"config validate":    files("yaml", "yml", "json"),
		"config describe":    configurationKeys,
		"config rollback":    served(1, generations),
		"policy swap":        swapArguments,
		"policy promote":     served(1, policyNames),
		"policy rollback":    served(1, policyNames),
		"policy history":     served(1, policyNames),
		"policy differences": served(1, policyNames),
		"policy crashes":     served(1, policyNames),
		"policy record":      served(1, policyNames),
		"policy inspect":     files("wasm"),
		"policy doctor":      files("wasm"),
		"policy sign":        files("wasm"),
		"policy verify":      files("wasm"),
		"policy push":        files("wasm"),
		"policy load":        files("tar"),
	}
	for _, c := range manual.Visible(root) {
		if f := words[strings.TrimPrefix(c.CommandPath(), root.Name()+" ")]; f != nil && c.ValidArgsFunction == nil && c.ValidArgs == nil {
			c.ValidArgsFunction = f
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { completeFlag(c, f) })
	}
}

func completeFlag(c *cobra.Command, f *pflag.Flag) {
	endings := map[string][]string{"config": {"yaml", "yml", "json"}, "ca-file": {"pem", "crt"}, "password-file": {"*"}, "policy": {"wasm"}, "trust": {"pub"}, "settings": {"json"}}
	set := func(values ...string) {
		// An error is that a command has said it itself.
		_ = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	switch {
	case f.Name == "output" && f.Usage == "human or json":
		set("human", "json")
	case f.Name == "color":
		set("auto", "always", "never")
	case f.Name == "state-dir":
		_ = c.RegisterFlagCompletionFunc(f.Name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}) // likewise
	case len(endings[f.Name]) > 0 && endings[f.Name][0] != "*":
		_ = c.RegisterFlagCompletionFunc(f.Name, files(endings[f.Name]...)) // likewise
	}
}

// files completes names of files with these endings.
func files(endings ...string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return endings, cobra.ShellCompDirectiveFilterFileExt
	}
}

// served completes by what a running server has, up to so many arguments. Without a
// server there is nothing to offer.
func served(most int, ask func(context.Context, control.Client) []string) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return askServer(cmd, ask), cobra.ShellCompDirectiveNoFileComp
	}
}

func askServer(cmd *cobra.Command, ask func(context.Context, control.Client) []string) []string {
	a := &admin{}
	if f := cmd.Flag("state-dir"); f != nil {
		a.stateDir = f.Value.String()
	}
	if f := cmd.Flag("socket"); f != nil {
		a.socket = f.Value.String()
	}
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completeTime)
	defer cancel()
	var plain []string
	for _, name := range ask(ctx, a.client()) {
		if name == oneLine(name) { // a shell is not to meet anything else
			plain = append(plain, name)
		}
	}
	return plain
}

func policyNames(ctx context.Context, c control.Client) (names []string) {
	status, err := c.Status(ctx)
	if err == nil {
		for i := range status.Policies {
			names = append(names, status.Policies[i].Name)
		}
	}
	return names
}

func certificateNames(ctx context.Context, c control.Client) (names []string) {
	list, err := c.Certificates(ctx)
	if err == nil {
		for i := range list {
			names = append(names, list[i].Name)
		}
	}
	return names
}

func bannedNetworks(ctx context.Context, c control.Client) (names []string) {
	d, err := c.Defence(ctx)
	if err == nil {
		for i := range d.Bans {
			names = append(names, d.Bans[i].Who.String())
		}
	}
	return names
}

func limitedUsers(ctx context.Context, c control.Client) (names []string) {
	b, err := c.Bandwidth(ctx)
	if err == nil {
		for i := range b.Users {
			names = append(names, b.Users[i].Name)
		}
	}
	return names
}

func listenerNames(ctx context.Context, c control.Client) (names []string) {
	b, err := c.Bandwidth(ctx)
	if err == nil {
		for i := range b.Listeners {
			names = append(names, b.Listeners[i].Name)
		}
	}
	return names
}

func generations(ctx context.Context, c control.Client) (numbers []string) {
	list, err := c.ConfigHistory(ctx)
	if err == nil {
		for i := range list {
			numbers = append(numbers, strconv.FormatUint(list[i].Generation, 10))
		}
	}
	return numbers
}

func bandwidthArguments(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return control.Scopes(), cobra.ShellCompDirectiveNoFileComp
	case len(args) == 1 && args[0] == "user":
		return askServer(cmd, limitedUsers), cobra.ShellCompDirectiveNoFileComp
	case len(args) == 1 && args[0] == "listener":
		return askServer(cmd, listenerNames), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// swapArguments are names and modules in turn.
func swapArguments(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args)%2 == 0 {
		return askServer(cmd, policyNames), cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"wasm"}, cobra.ShellCompDirectiveFilterFileExt
}

func configurationKeys(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return config.Keys(), cobra.ShellCompDirectiveNoFileComp
}
