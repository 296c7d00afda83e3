package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

// which says which sessions a list is of.
type which struct{ user, listener, from string }

func (f *which) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.user, "user", "", "those of this user alone")
	cmd.Flags().StringVar(&f.listener, "listener", "", "those of this listener alone")
	cmd.Flags().StringVar(&f.from, "from", "", "those from this address or network alone")
}

// query is the same in the words of the admin API.
func (f *which) query() (url.Values, error) {
	q := url.Values{}
	for name, value := range map[string]string{"user": f.user, "listener": f.listener} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.from != "" {
		p, err := config.ParseNetwork(f.from)
		if err != nil {
			return nil, exitWith(exitUsage, fmt.Errorf("--from: %w", err))
		}
		q.Set("address", p.String())
	}
	return q, nil
}

func sessionsCommand() *cobra.Command {
	a, f := new(admin), new(which)
	list := func(cmd *cobra.Command, _ []string) error {
		q, err := f.query()
		if err != nil {
			return err
		}
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Sessions(ctx, q) },
			func(w io.Writer, got any) { printSessions(w, got.([]control.Session), time.Now()) })
	}
	cmd := &cobra.Command{Use: "sessions", Short: "Show, end and limit the sessions of a running server", Args: cobra.NoArgs, RunE: list,
		Example: "  edgeftp sessions --user alice\n  edgeftp sessions kick 12 --reason \"maintenance at noon\"\n  edgeftp sessions limit 12 --down 1MB/s"}
	a.flags(cmd)
	f.flags(cmd)
	all := &cobra.Command{Use: "list", Short: "Show who is connected", Args: cobra.NoArgs, RunE: list}
	f.flags(all)
	show := &cobra.Command{Use: "show ID", Short: "Show all that is known of one session", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := sessionNumber(args[0])
			if err != nil {
				return err
			}
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Session(ctx, id) },
				func(w io.Writer, got any) { printSession(w, got.(control.Session), time.Now()) })
		}}
	cmd.AddCommand(all, show, kickCommand(a), limitCommand(a))
	return cmd
}

func kickCommand(a *admin) *cobra.Command {
	var user, from, reason string
	cmd := &cobra.Command{Use: "kick ID... | --user NAME | --from NETWORK", Short: "End sessions: transfers with 426, then the session with 421 and the reason",
		Long: "Ends sessions within a second, at rest or in a transfer. The client is told, with the reason; others are not touched. Whoever may\n" +
			"log in can come again: edgeftp ban and a user's disabling keep people away."}
	cmd.Flags().StringVar(&user, "user", "", "all of this user")
	cmd.Flags().StringVar(&from, "from", "", "all from this address or network")
	cmd.Flags().StringVar(&reason, "reason", "", "what the client is told, and the log")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kicks, err := kicksOf(args, user, from, reason)
		if err != nil {
			return err
		}
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) {
			sum := control.Kicked{}
			for _, k := range kicks {
				n, err := c.Kick(ctx, k)
				if sum.Kicked += n; err != nil {
					return sum, ended(err, sum.Kicked, len(kicks))
				}
			}
			return sum, nil
		}, func(w io.Writer, got any) {
			fmt.Fprintf(w, "%s ended.\n", quantity(got.(control.Kicked).Kicked, "session", "sessions"))
		})
	}
	return cmd
}

// ended adds to an error what was done before it.
func ended(err error, done, of int) error {
	if done == 0 {
		return err
	}
	return fmt.Errorf("%d of %d were ended; then: %w", done, of, err)
}

// kicksOf reads a command line.
func kicksOf(args []string, user, from, reason string) ([]control.Kick, error) {
	ways := 0
	for _, given := range []bool{len(args) > 0, user != "", from != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, exitWith(exitUsage, errors.New("say whose sessions to end: by numbers, by --user or by --from\n   = help: edgeftp sessions lists them"))
	}
	k := control.Kick{User: user, Reason: reason}
	if from != "" {
		var err error
		if k.From, err = config.ParseNetwork(from); err != nil {
			return nil, exitWith(exitUsage, fmt.Errorf("--from: %w", err))
		}
	}
	if len(args) == 0 {
		return []control.Kick{k}, nil
	}
	var kicks []control.Kick
	for _, arg := range args {
		id, err := sessionNumber(arg)
		if err != nil {
			return nil, err
		}
		kicks = append(kicks, control.Kick{ID: id, Reason: reason})
	}
	return kicks, nil
}

func limitCommand(a *admin) *cobra.Command {
	var down, up string
	var free bool
	cmd := &cobra.Command{Use: "limit ID --down RATE --up RATE | --clear", Short: "Limit all transfers of one session together, those that run too", Args: cobra.ExactArgs(1)}
	cmd.Flags().StringVar(&down, "down", "", "from the server, such as 500KB/s; 0 is no limit")
	cmd.Flags().StringVar(&up, "up", "", "to the server")
	cmd.Flags().BoolVar(&free, "clear", false, "take it back: what the configuration says holds again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := sessionNumber(args[0])
		if err != nil {
			return err
		}
		l, err := liveLimit(down, up, free)
		if err != nil {
			return exitWith(exitUsage, err)
		}
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.LimitSession(ctx, id, l) },
			func(w io.Writer, got any) { printSession(w, got.(control.Session), time.Now()) })
	}
	return cmd
}

// liveLimit makes a change of the words of a command line.
func liveLimit(down, up string, free bool) (l control.LiveLimit, err error) {
	if free == (down != "" || up != "") {
		return l, errors.New("a limit needs --down, --up or both, or --clear\n   = help: such as --down 500KB/s")
	}
	l.Clear = free
	return l, asRates(down, up, &l.Down, &l.Up)
}

// sessionNumber reads a session's number.
func sessionNumber(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, exitWith(exitUsage, fmt.Errorf("%q is no number of a session\n   = help: edgeftp sessions lists them; a transfer's 12-9 is the session 12", screen.Shown(text)))
	}
	return id, nil
}

func printSessions(w io.Writer, all []control.Session, now time.Time) {
	if len(all) == 0 {
		fmt.Fprintln(w, "There is no session.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SESS\tUSER\tFROM\tLISTENER\tPROTOCOL\tTLS\tSTATE\tDIRECTORY\tFOR\tCLIENT")
	for i := range all {
		s := &all[i]
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, userOf(s), s.Peer, screen.Shown(s.Listener), cmp.Or(s.Protocol, "ftp"), dash(s.TLS), stateOf(s),
			dash(screen.CutLeft(screen.Shown(s.Dir), 40)), lasting(now.Sub(s.Since)), dash(screen.Cut(screen.Shown(s.Client), 30)))
	}
	_ = t.Flush() // to a terminal, which is there or not
}

// userOf is who a session is of, as it is shown.
func userOf(s *control.Session) string {
	name := dash(screen.Cut(screen.Shown(s.User), 32))
	if !s.LoggedIn && s.User != "" {
		name += "?"
	}
	return name
}

// stateOf is what a session does, in a word or two.
func stateOf(s *control.Session) string {
	switch s.State {
	case control.StateTransfer:
		return screen.Shown(s.Transfer.Command)
	case control.StateBusy:
		return screen.Shown(s.Command)
	case control.StateLogin:
		if s.Command != "" {
			return "login"
		}
		return "login " + lasting(time.Duration(s.Quiet)*time.Second)
	}
	return "idle " + lasting(time.Duration(s.Quiet)*time.Second)
}

func printSession(w io.Writer, s control.Session, now time.Time) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(t, "  %s\t%s\n", name, text)
		}
	}
	fmt.Fprintf(t, "session %d\n", s.ID)
	line("user", userOf(&s))
	line("from", fmt.Sprintf("%s to %s (%s)", s.Peer, s.Local, screen.Shown(s.Listener)))
	line("client", screen.Shown(s.Client))
	line("host", screen.Shown(s.Host))
	line("since", fmt.Sprintf("%s (%s)", s.Since.Local().Format(time.DateTime), lasting(now.Sub(s.Since))))
	line("protocol", s.Protocol)
	line("tls", strings.TrimSpace(s.TLS+" "+s.Cipher))
	line("state", stateOf(&s))
	line("directory", screen.Shown(s.Dir))
	if s.Limit != nil {
		line("limit", "down "+config.FormatRate(s.Limit.Down)+", up "+config.FormatRate(s.Limit.Up)+", by an operator")
	}
	if x := s.Transfer; x != nil {
		line("transfer", fmt.Sprintf("%s  %s %s", x.ID, screen.Shown(x.Command), screen.Shown(x.Path)))
		line("done", fmt.Sprintf("%s at %s, on average %s, limit %s", doneOf(x), speed(x.Rate), speed(x.Average), limitOf(x)))
	}
	_ = t.Flush()
}

func transfersCommand() *cobra.Command {
	a, f := new(admin), new(which)
	list := func(cmd *cobra.Command, _ []string) error {
		q, err := f.query()
		if err != nil {
			return err
		}
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Transfers(ctx, q) },
			func(w io.Writer, got any) { printTransfers(w, got.([]control.Transfer)) })
	}
	cmd := &cobra.Command{Use: "transfers", Short: "Show, end and throttle the transfers of a running server", Args: cobra.NoArgs, RunE: list,
		Example: "  edgeftp transfers\n  edgeftp transfers throttle 12-9 1MB/s\n  edgeftp transfers abort 12-9"}
	a.flags(cmd)
	f.flags(cmd)
	all := &cobra.Command{Use: "list", Short: "Show what runs", Args: cobra.NoArgs, RunE: list}
	f.flags(all)
	abort := &cobra.Command{Use: "abort ID...", Short: "End transfers with 426; their sessions go on", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) {
				for i, id := range args {
					if err := c.Abort(ctx, id); err != nil {
						return nil, ended(err, i, len(args))
					}
				}
				return map[string]int{"aborted": len(args)}, nil
			}, func(w io.Writer, _ any) {
				fmt.Fprintf(w, "%s ended.\n", quantity(len(args), "transfer", "transfers"))
			})
		}}
	cmd.AddCommand(all, abort, throttleCommand(a))
	return cmd
}

func throttleCommand(a *admin) *cobra.Command {
	var down, up string
	var free bool
	cmd := &cobra.Command{Use: "throttle ID RATE | ID --down RATE --up RATE | ID --clear", Short: "Limit one transfer while it runs", Args: cobra.RangeArgs(1, 2),
		Long: "Limits one transfer, which stays under its other limits as well: those of its session, its user, its listener and the server. RATE is for\n" +
			"whichever way the bytes go. It holds at once."}
	cmd.Flags().StringVar(&down, "down", "", "from the server, such as 500KB/s; 0 is no limit")
	cmd.Flags().StringVar(&up, "up", "", "to the server")
	cmd.Flags().BoolVar(&free, "clear", false, "take the limit back")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 2 {
			if down != "" || up != "" {
				return exitWith(exitUsage, errors.New("name a RATE, or --down and --up, not both"))
			}
			down, up = args[1], args[1]
		}
		l, err := liveLimit(down, up, free)
		if err != nil && len(args) == 2 {
			err = fmt.Errorf("RATE: %s", strings.TrimPrefix(err.Error(), "--down: ")) // which nobody has written
		}
		if err != nil {
			return exitWith(exitUsage, err)
		}
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) {
			if err := c.LimitTransfer(ctx, args[0], l); err != nil {
				return nil, err
			}
			return c.Transfers(ctx, nil)
		}, func(w io.Writer, got any) { printTransfers(w, only(got.([]control.Transfer), args[0])) })
	}
	return cmd
}

// only is the transfer of a number, if it runs.
func only(all []control.Transfer, id string) []control.Transfer {
	for _, t := range all {
		if t.ID == id {
			return []control.Transfer{t}
		}
	}
	return nil
}

func printTransfers(w io.Writer, all []control.Transfer) {
	if len(all) == 0 {
		fmt.Fprintln(w, "Nothing runs for longer than a moment.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tUSER\tOP\tPATH\tDONE\tRATE\tAVERAGE\tLIMIT\tTLS\tFOR")
	for i := range all {
		x := &all[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.ID, dash(screen.Cut(screen.Shown(x.User), 32)), screen.Shown(x.Command),
			dash(screen.CutLeft(screen.Shown(x.Path), 60)), doneOf(x), speed(x.Rate), speed(x.Average), limitOf(x), sealOf(x), lasting(time.Duration(x.Seconds*float64(time.Second))))
	}
	_ = t.Flush()
}
