package main

import (
	_ "embed" // for the examples
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/manual"
)

// examples are those of the commands that do not bring their own: the command, and
// below it the lines, up to an empty one.
//
//go:embed examples.txt
var examples string

// finish gives a tree of commands what all of it has: examples, completion, suggestions.
func finish(root *cobra.Command) {
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	given := map[string]string{}
	for block := range strings.SplitSeq(strings.TrimSpace(examples), "\n\n") {
		name, lines, _ := strings.Cut(block, "\n")
		given[name] = "  " + strings.ReplaceAll(lines, "\n", "\n  ")
	}
	for _, c := range manual.Visible(root) {
		if c.Example == "" {
			c.Example = given[c.CommandPath()]
		}
		if c.Name() == "completion" || c.HasParent() && c.Parent().Name() == "completion" {
			c.Short = strings.ToUpper(c.Short[:1]) + c.Short[1:]
		}
		if c.Name() == "completion" {
			c.Args, c.RunE = cobra.ArbitraryArgs, func(cmd *cobra.Command, args []string) error {
				return noCommand(cmd, args, "completion needs a shell: bash, zsh, fish or powershell")
			}
		}
	}
	complete(root)
	root.SetFlagErrorFunc(flagError)
}

// flagError tells what is wrong with a flag, and which one may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath() + " --help lists the flags"
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := config.Nearest(unknown.GetSpecifiedName(), names); near != "" && unknown.GetSpecifiedShortnames() == "" {
			help = "did you mean  --" + near + " ?  " + help
		}
	}
	return exitWith(exitUsage, fmt.Errorf("%w\n   = help: %s", err, help))
}

func manCommand() *cobra.Command {
	return &cobra.Command{Use: "man DIR", Short: "Write the manual as pages for man(1)", Args: cobra.ExactArgs(1),
		Long:    "Writes one page for each command into a directory, which is made if it is not there.",
		Example: "  edgeftp man /usr/local/share/man/man1\n  edgeftp man man1 && man -l man1/edgeftp-get.1",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o777); err != nil { // less the umask
				return exitWith(exitFailed, err)
			}
			pages := manual.Pages(cmd.Root(), version(), exitText())
			for _, p := range pages {
				if err := os.WriteFile(filepath.Join(args[0], p.Name), []byte(p.Text), 0o666); err != nil { // likewise
					return exitWith(exitFailed, err)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d pages in %s\n", len(pages), args[0])
			return nil
		}}
}

// exitText is the table of exit codes for the manual.
func exitText() string {
	var b strings.Builder
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "  %-4d %s\n", c.Code, c.Meaning)
	}
	return b.String()
}

// exitTable is that of the document.
func exitTable() string {
	var b strings.Builder
	b.WriteString("| code | name | meaning |\n|---|---|---|\n")
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", c.Code, c.Name, c.Meaning)
	}
	return b.String()
}
