package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

// overview is what status tells in JSON: the answer of the server, and the limits on rates.
type overview struct {
	control.Status
	Bandwidth control.Bandwidth `json:"bandwidth"`
}

func statusCommand() *cobra.Command {
	a := new(admin)
	var watch, health, ready bool
	var wait string
	var t top
	cmd := &cobra.Command{Use: "status", Short: "Show what a running server is doing", Args: cobra.NoArgs,
		Long: "Shows what a running server is doing. With --health nothing is shown: the exit code is 0 if the server answers and 1 if it does not, as\n" +
			"container runtimes want it. With --ready it is whether clients are served as they should be, with certificates that are valid: each part is\n" +
			"told, and the exit code is 5 if one has failed. With --watch there is a table of the sessions every second, until it is interrupted; edgeftp top is the same\n" +
			"with keys."}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case watch && health:
			return exitWith(exitUsage, errors.New("--watch and --health exclude each other"))
		case ready && (watch || health):
			return exitWith(exitUsage, errors.New("--ready stands alone\n   = help: leave --watch and --health out"))
		case cmd.Flags().Changed("wait") && !ready:
			return exitWith(exitUsage, errors.New("--wait is for --ready"))
		case ready:
			return a.ready(cmd, wait)
		case watch:
			return t.frames(cmd, a)
		case health:
			return healthy(cmd, a)
		}
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) {
			st, err := c.Status(ctx)
			if err != nil {
				return nil, err
			}
			limits, err := c.Bandwidth(ctx)
			return overview{st, limits}, err
		}, printOverview)
	}
	a.flags(cmd)
	cmd.Flags().BoolVar(&watch, "watch", false, "show the sessions time and again")
	cmd.Flags().BoolVar(&health, "health", false, "say by the exit code alone whether the server answers")
	cmd.Flags().BoolVar(&ready, "ready", false, "say whether every part is ready")
	cmd.Flags().StringVar(&wait, "wait", "", "with --ready, how long to wait for it, such as 2m (default: not at all)")
	t.flags(cmd)
	return cmd
}

// healthTime is how long a server may take to say that it lives.
const healthTime = 5 * time.Second

// healthy fails with exitFailed whatever is wrong.
func healthy(cmd *cobra.Command, a *admin) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), healthTime)
	defer cancel()
	if err := a.client().Health(ctx); err != nil {
		return exitWith(exitFailed, err)
	}
	return nil
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

// unbounded is a limit, of which 0 is none.
func unbounded(n int) string {
	if n <= 0 {
		return "any number of sessions"
	}
	return quantity(n, "session", "sessions")
}

// atMost is a number beside its limit, if there is one.
func atMost(n, most int) string {
	if most <= 0 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d of %d", n, most)
}

// printRates tells of the limits on rates that there are.
func printRates(w io.Writer, b *control.Bandwidth) {
	for _, l := range []struct {
		of string
		control.Rates
	}{{"all together", b.Global}, {"each user", b.UserDefault}, {"each session", b.SessionDefault}} {
		if l.Rates != (control.Rates{}) {
			fmt.Fprintf(w, "  rates      %s: down %s, up %s\n", l.of, config.FormatRate(l.Down), config.FormatRate(l.Up))
		}
	}
	if n := len(b.Listeners) + len(b.Users); n > 0 {
		fmt.Fprintf(w, "  rates      %s more: edgeftp bandwidth\n", quantity(n, "limit", "limits"))
	}
}

func printOverview(w io.Writer, got any) {
	all := got.(overview)
	st := all.Status
	state := "serving"
	if st.Draining {
		state = "draining"
	}
	fmt.Fprintf(w, "%s %s  pid %d  %s %s for %s\n", named(st.Name), st.Version, st.PID, state, screen.Shown(st.Root), lasting(time.Since(st.Since)))
	if st.Generation > 0 {
		fmt.Fprintf(w, "  config     generation %d for %s\n", st.Generation, lasting(time.Since(st.ConfigSince)))
	}
	for _, l := range st.Listeners {
		fmt.Fprintf(w, "  listening  %s  TLS %s%s\n", l.Address, l.TLS, spoken(l))
	}
	old := ""
	if st.OldSessions > 0 {
		old = fmt.Sprintf(", %d with an earlier configuration", st.OldSessions)
	}
	fmt.Fprintf(w, "  sessions   %s, %d in a transfer%s\n", atMost(st.Sessions, st.Most.Total), st.Transfers, old)
	if st.Predecessor > 0 {
		fmt.Fprintf(w, "  before     pid %d, whose sessions go on\n", st.Predecessor)
	}
	if m := st.Most; m.PerIP > 0 || m.PerUser > 0 {
		fmt.Fprintf(w, "  limits     %s from an address, %s of a user\n", unbounded(m.PerIP), unbounded(m.PerUser))
	}
	printRates(w, &all.Bandwidth)
	if st.Bans > 0 {
		fmt.Fprintf(w, "  bans       %d: edgeftp ban\n", st.Bans)
	}
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
