package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

func banCommand() *cobra.Command {
	a := new(admin)
	list := func(cmd *cobra.Command, _ []string) error {
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Defence(ctx) },
			func(w io.Writer, got any) { printDefence(w, got.(control.Defence), time.Now()) })
	}
	cmd := &cobra.Command{Use: "ban", Short: "Show, make and take back bans of a running server", Args: cobra.NoArgs, RunE: list,
		Long: "Shows who is banned, and who has points. Points are for failed logins, for what is no FTP, for sessions that never log in; an\n" +
			"address that has as many as defender.score says is banned, each time twice as long. Networks and users are never banned for points,\n" +
			"only slowed down."}
	a.flags(cmd)
	var length, why string
	var kick bool
	add := &cobra.Command{Use: "add NETWORK", Short: "Turn an address or a network away", Args: cobra.ExactArgs(1),
		Long: "Turns an address (192.0.2.7) or a network (198.51.100.0/24, 2001:db8::/48) away. Sessions that it has go on, but for --kick. A ban that is there\n" +
			"is replaced. It is kept across restarts.",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := newBan(args[0], length, why)
			b.Kick = kick
			if err != nil {
				return exitWith(exitUsage, err)
			}
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Ban(ctx, b) },
				func(w io.Writer, got any) {
					made := got.(control.Ban)
					if printBans(w, []control.Ban{made}, time.Now()); kick {
						fmt.Fprintf(w, "%d of its sessions were ended.\n", made.Kicked)
					}
				})
		}}
	add.Flags().StringVar(&length, "for", "", "how long, such as 2h or 30d (default: until it is taken back)")
	add.Flags().BoolVar(&kick, "kick", false, "end the sessions that are there from it, too")
	add.Flags().StringVar(&why, "why", "", "the reason, for those who look at the list")
	remove := &cobra.Command{Use: "rm NETWORK", Short: "Take a ban back, and forget what led to it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := config.ParseNetwork(args[0])
			if err != nil {
				return exitWith(exitUsage, err)
			}
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Unban(ctx, who) },
				func(w io.Writer, got any) { printDefence(w, got.(control.Defence), time.Now()) })
		}}
	cmd.AddCommand(&cobra.Command{Use: "list", Short: "Show who is banned and who is watched", Args: cobra.NoArgs, RunE: list}, add, remove)
	return cmd
}

// newBan makes a ban of the words of a command line.
func newBan(who, length, why string) (control.NewBan, error) {
	b := control.NewBan{Why: why}
	var err error
	if b.Who, err = config.ParseNetwork(who); err != nil {
		return b, err
	}
	if b.Who.Bits() == 0 {
		return b, errors.New("that bans everybody\n   = help: stop the server, or name a network")
	}
	if length != "" {
		if b.For, err = config.ParseDuration(length); err != nil {
			return b, fmt.Errorf("--for: %w", err)
		}
	}
	return b, nil
}

func printDefence(w io.Writer, d control.Defence, now time.Time) {
	if !d.Enabled {
		fmt.Fprintln(w, "The defender is off (defender.enabled).")
		return
	}
	printBans(w, d.Bans, now)
	if all := append(d.Watched, d.Slowed...); len(all) > 0 {
		fmt.Fprintf(w, "\nWatched; an address is banned at %d points, logins of networks and users go one at a time:\n", d.Score)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "WHO\tKIND\tPOINTS\tFAILED LOGINS\tLATEST")
		for _, s := range all {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", oneLine(s.Who), s.Kind, dash(some(s.Points)), dash(some(s.Failed)), dash(oneLine(s.Why)))
		}
		t.Flush()
	}
	fmt.Fprintf(w, "\nSince the start: %d banned, %d turned away, %d denied, %d logins waited, %d refused while too many waited; %d remembered.\n",
		d.Banned, d.TurnedAway, d.Denied, d.Waited, d.Refused, d.Known)
	if d.Unrecorded > 0 {
		fmt.Fprintf(w, "%d offences were not recorded: so many addresses are remembered at most.\n", d.Unrecorded)
	}
}

// some is a number, or empty for none.
func some(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func printBans(w io.Writer, bans []control.Ban, now time.Time) {
	if len(bans) == 0 {
		fmt.Fprintln(w, "Nobody is banned.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BANNED\tSINCE\tENDS IN\tTIMES\tBY\tWHY")
	for _, b := range bans {
		ends := "never"
		if !b.Until.IsZero() {
			ends = b.Until.Sub(now).Round(time.Second).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", b.Who, b.Since.Local().Format(time.DateTime), ends, b.Times, b.By, oneLine(b.Why))
	}
	t.Flush()
}
