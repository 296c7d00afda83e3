package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

func policyCommand() *cobra.Command {
	a := new(admin)
	cmd := &cobra.Command{Use: "policy", Short: "Make and build policies; list, swap and roll back those of a running server",
		RunE: func(cmd *cobra.Command, args []string) error {
			return noCommand(cmd, args, "policy needs a command: edgeftp policy --help lists them")
		}, Args: cobra.ArbitraryArgs}
	a.flags(cmd)
	one := func(w io.Writer, got any) { printPolicies(w, []control.Policy{got.(control.Policy)}) }
	named := func(use, short, long string, call func(context.Context, control.Client, string) (any, error), human func(io.Writer, any)) *cobra.Command {
		return &cobra.Command{Use: use + " NAME", Short: short, Long: long, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return call(ctx, c, args[0]) }, human)
		}}
	}
	var to string
	back := named("rollback", "End a trial or comparison, or bring an earlier module back",
		"Ends the trial of a candidate (--canary, --for) in favour of the module in force, or a comparison (--shadow).\n"+
			"Without either it brings the module back that was in the slot before, or the one that --to names;\nthese are kept across restarts. Twice in a row brings back what was there first.",
		func(ctx context.Context, c control.Client, name string) (any, error) {
			return c.Rollback(ctx, name, to)
		}, one)
	back.Flags().StringVar(&to, "to", "", "number in policy history, or the beginning of a digest (default: the module before)")
	group := func(id, title string, commands ...*cobra.Command) {
		cmd.AddGroup(&cobra.Group{ID: id, Title: title})
		for _, c := range commands {
			c.GroupID = id
			cmd.AddCommand(c)
		}
	}
	group("make", "Policies, made and tried without a server:", a.initCommand(), buildCommand(), a.testCommand(), a.runCommand(),
		a.benchCommand(), a.traceCommand(), a.inspectCommand(), a.doctorCommand(), a.replayCommand())
	group("ship", "Signed and shipped:", keygenCommand(), signCommand(), verifyCommand(), pushCommand(), pullCommand(), saveCommand(), loadCommand())
	group("serve", "In a running server:", a.listCommand(), a.swapCommand(), back, a.recordCommand(), a.crashesCommand(),
		named("promote", "Put a candidate in force for all sessions",
			"Ends the trial of a candidate (--canary, --for) in its favour, or puts a compared one (--shadow) in force.",
			func(ctx context.Context, c control.Client, name string) (any, error) { return c.Promote(ctx, name) }, one),
		named("history", "List the modules that a slot took, the newest first", "",
			func(ctx context.Context, c control.Client, name string) (any, error) { return c.History(ctx, name) }, printHistory),
		named("differences", "List what a shadow answered otherwise than the module in force", "The last 256 are kept, until the comparison ends.",
			func(ctx context.Context, c control.Client, name string) (any, error) { return c.Differences(ctx, name) }, printDifferences))
	cmd.AddCommand(builderCommand())
	return cmd
}

// watchEvery is how often policy list -w looks.
const watchEvery = time.Second

func (a *admin) listCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{Use: "list", Short: "List the policies in the order in which they are asked", Args: cobra.NoArgs,
		Long: "Lists the policies in the order in which they are asked, and their candidates below them. P50 and P99 are of the\n" +
			"calls whose time was taken (one in 64), to the next power of two. -o json tells everything that is counted."}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "list again every second, until interrupted")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for {
			err := a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Policies(ctx) },
				func(w io.Writer, got any) { printPolicies(w, got.([]control.Policy)) })
			if err != nil || !watch {
				return err
			}
			select {
			case <-cmd.Context().Done():
				return nil
			case <-time.After(watchEvery):
				fmt.Fprintln(cmd.OutOrStdout())
			}
		}
	}
	return cmd
}

func (a *admin) swapCommand() *cobra.Command {
	var s control.Swap
	var canary string
	var signatures []string
	cmd := &cobra.Command{Use: "swap NAME PATH [NAME PATH...]", Short: "Put modules (.wasm, or directories of source) in the place of policies",
		Long: "Puts a module (.wasm, or a directory of source) in a policy's place. Several are swapped all or none.\n" +
			"Running transfers end with the policies they began with. A module that is refused changes nothing.\n\n" +
			"PATH.minisig, if it is there, is sent as the module's signature.\n\n" +
			"Without --canary, --for, --shadow and --now, policies.rollout of the configuration says how."}
	fl := cmd.Flags()
	fl.StringVar(&canary, "canary", "", "let the candidate judge this share of the sessions, such as 5%; the others keep the module in force")
	fl.DurationVar(&s.For, "for", 0, "watch the candidate for so long, such as 10m: it is rolled back if it fails, drifts or is slow, and then in force for all")
	fl.BoolVar(&s.Shadow, "shadow", false, "ask the candidate copies of the questions, and only compare its answers")
	fl.BoolVar(&s.Now, "now", false, "at once and for good, whatever the configuration says")
	fl.BoolVar(&s.Downgrade, "allow-downgrade", false, "take an older version than that before")
	fl.StringArrayVar(&signatures, "signature", nil, "signature file; repeated, one for each module (default PATH.minisig)")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) < 2 || len(args)%2 != 0 {
			return exitWith(exitUsage, errors.New("swap needs NAME PATH, or several such pairs"))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if canary != "" {
			if s.Canary, err = config.ParseCanary(canary); err != nil {
				return exitWith(exitUsage, fmt.Errorf("--canary: %w", err))
			}
		}
		if len(signatures) > 0 && len(signatures) != len(args)/2 {
			return exitWith(exitUsage, fmt.Errorf("%d signatures for %d modules", len(signatures), len(args)/2))
		}
		for i := 0; i+1 < len(args); i += 2 {
			file, named := args[i+1]+".minisig", len(signatures) > 0
			if named {
				file = signatures[i/2]
			}
			m, err := a.read(cmd.Context(), args[i], args[i+1], file, named)
			if err != nil {
				return exitWith(exitFailed, err)
			}
			s.Modules = append(s.Modules, m)
		}
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) {
			list, err := c.Swap(ctx, s)
			if err == nil && len(list) == 1 {
				return list[0], nil
			}
			return list, err
		}, printSwapped)
	}
	return cmd
}

// read reads what is to be sent.
func (a *admin) read(ctx context.Context, name, path, signature string, named bool) (m control.Module, err error) {
	m.Name = name
	if m.Source, err = filepath.Abs(path); err != nil {
		m.Source = path
	}
	if m.Module, err = readModule(ctx, path, filepath.Join(a.stateDir, "cache", "build")); err != nil {
		return m, err
	}
	m.Signature, err = readSignature(signature, named)
	return m, err
}

func printSwapped(w io.Writer, got any) {
	list, ok := got.([]control.Policy)
	if !ok {
		list = []control.Policy{got.(control.Policy)}
	}
	printPolicies(w, list)
	for i := range list {
		p := &list[i]
		switch {
		case p.Trial != nil && p.Trial.Until != nil:
			fmt.Fprintf(w, "\ngeneration %d judges %d%% of the sessions until %s, and all from then on; promote or rollback ends it at once\n",
				p.Trial.Candidate.Generation, p.Trial.Percent, p.Trial.Until.Format(time.RFC3339))
		case p.Trial != nil:
			fmt.Fprintf(w, "\ngeneration %d judges %d%% of the sessions until promote or rollback\n", p.Trial.Candidate.Generation, p.Trial.Percent)
		case p.Shadow != nil:
			fmt.Fprintf(w, "\n%.19s is compared with generation %d: policy differences %s tells; promote or rollback ends it\n", p.Shadow.Digest, p.Generation, p.Name)
		}
	}
}
