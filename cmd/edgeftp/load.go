package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ftpclient"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/load"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/progress"
)

// loading is edgeftp bench.
type loading struct {
	visitor
	plan      load.Plan
	size      string
	direction string
	progress  string
	own       bool
	quiet     bool
}

func benchCommand() *cobra.Command {
	l := new(loading)
	cmd := &cobra.Command{Use: "bench URL", Short: "Measure how a server copes with a bounded load", Args: cobra.ExactArgs(1),
		Long: "Logs in with several connections and moves files of one size for some time, and tells how long logins and transfers took and how\n" +
			"many bytes flowed. The URL is a directory to which may be written: what is made there for the run is removed again. With --direction\n" +
			"down it may be a file, which is read and nothing else.\n\n" +
			"It is for servers of your own: on another machine it needs --i-own-this-server. There are at most 256 connections, files of 1 GiB and\n" +
			"10 minutes. A server limits the sessions of one address (limits.sessions.per_ip, 20): what is more counts as failed.\n\n" + urls,
		Example: "  edgeftp bench --ca-file .edgeftp/ca.pem ftp://dev@127.0.0.1:2121/in/\n" +
			"  edgeftp bench --connections 16 --size 64MiB --duration 30s --direction down --i-own-this-server ftp://anna@ftp.example.org/tmp/ -o json",
		RunE: l.run}
	l.flags(cmd)
	f := cmd.Flags()
	f.IntVar(&l.plan.Connections, "connections", 4, "how many work at once, 1 to 256")
	f.StringVar(&l.size, "size", "1MiB", "how long each file is, at most 1GiB")
	f.DurationVar(&l.plan.Duration, "duration", 10*time.Second, "how long transfers begin, at most 10m")
	f.StringVar(&l.direction, "direction", "both", "up, down or both")
	f.StringVar(&l.progress, "progress", "auto", "auto (a line on a terminal), plain, json or none; it goes to the standard error")
	f.BoolVar(&l.own, "i-own-this-server", false, "put the load on a server on another machine")
	f.BoolVarP(&l.quiet, "quiet", "q", false, "show no progress")
	for flag, words := range map[string][]string{"direction": {"up", "down", "both"}, "progress": {"auto", "plain", "json", "none"}} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // both are there
	}
	return cmd
}

func (l *loading) run(cmd *cobra.Command, args []string) error {
	t, err := ftpclient.ParseURL(args[0])
	if err != nil {
		return exitWith(exitUsage, err)
	}
	if !t.Loopback() && !l.own {
		return exitWith(exitUsage, fmt.Errorf("%s is not this machine\n   = help: a load on somebody else's server is an attack; --i-own-this-server says that it is yours", escape.Text(t.Host)))
	}
	if err := l.bounds(); err != nil {
		return exitWith(exitUsage, err)
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	if err := l.prepare(ctx, cmd, t); err != nil {
		return err
	}
	l.plan.Dial = l.dial
	if err := l.place(ctx, t); err != nil {
		return l.ended(ctx, err)
	}
	m := &moving{visitor: l.visitor, progress: l.progress, quiet: l.quiet}
	if err := m.begin(cmd); err != nil {
		return err
	}
	l.plan.Moved = m.Moved
	report, err := load.Run(ctx, l.plan)
	m.meter.Close()
	if err != nil {
		return l.ended(ctx, err)
	}
	return l.report(ctx, cmd, report)
}

// bounds reads the flags that say how much there is to be.
func (l *loading) bounds() (err error) {
	if l.plan.Connections < 1 || l.plan.Connections > load.MaxConnections {
		return fmt.Errorf("--connections is %d; it is 1 to %d", l.plan.Connections, load.MaxConnections)
	}
	if l.plan.Duration <= 0 || l.plan.Duration > load.MaxDuration {
		return fmt.Errorf("--duration is %v; it is more than 0, and at most %v", l.plan.Duration, load.MaxDuration)
	}
	if l.plan.Size, err = config.ParseSize(l.size); err != nil {
		return fmt.Errorf("--size: %w", err)
	}
	if l.plan.Size > load.MaxSize {
		return errors.New("--size is more than 1GiB")
	}
	l.plan.Up, l.plan.Down = l.direction != "down", l.direction != "up"
	if !slices.Contains([]string{"up", "down", "both"}, l.direction) {
		return fmt.Errorf("--direction is %q; it can be up, down or both", l.direction)
	}
	return nil
}

// place finds out whether the URL is a file or a directory.
func (l *loading) place(ctx context.Context, t *ftpclient.Target) error {
	l.plan.Dir = t.Path
	if t.Folder {
		return nil
	}
	s, err := l.dial(ctx)
	if err != nil {
		return err
	}
	defer s.Quit()
	entry, err := s.Stat(s.Path(t.Path))
	if err != nil {
		return err
	}
	switch {
	case entry.Kind == ftpclient.Dir:
	case l.plan.Up:
		return &ftpclient.Refusal{What: fmt.Sprintf("%s is a file, and a load in the direction up wants a directory", escape.Text(path.Base(t.Path))),
			Help: "--direction down reads the file and writes nothing"}
	default:
		l.plan.File = t.Path
	}
	return nil
}

func (l *loading) report(ctx context.Context, cmd *cobra.Command, r *load.Report) error {
	if l.output == "json" {
		if err := writeJSON(cmd.OutOrStdout(), r); err != nil {
			return exitWith(exitFailed, err)
		}
	} else {
		printLoad(cmd.OutOrStdout(), r)
	}
	switch {
	case ctx.Err() != nil:
		return exitWith(exitInterrupted, errors.New("interrupted"))
	case r.Failed > 0:
		return exitWith(exitFailed, fmt.Errorf("%d logins or transfers failed", r.Failed))
	}
	return nil
}

func printLoad(w io.Writer, r *load.Report) {
	fmt.Fprintf(w, "%d logins in %.1f s; the data connections of %d transfers resumed a TLS session\n\n", r.Connections, r.Seconds, r.Resumed)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tCOUNT\tRATE\tA SECOND\tMIN\tMEDIAN\tP90\tP99\tMAX")
	row := func(name string, count int, rate, often string, all load.Times) {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s", name, count, rate, often)
		for _, s := range []float64{all.Min, all.P50, all.P90, all.P99, all.Max} {
			fmt.Fprintf(t, "\t%.2f ms", s*1000)
		}
		fmt.Fprintln(t)
	}
	row("login", r.Connections, "-", "-", r.Login)
	for _, d := range []struct {
		name string
		of   *load.Direction
	}{{"up", r.Up}, {"down", r.Down}} {
		if d.of != nil {
			row(d.name, d.of.Transfers, progress.Bytes(int64(d.of.Rate))+"/s", fmt.Sprintf("%.1f", d.of.PerSecond), d.of.Time)
		}
	}
	_ = t.Flush() // to a terminal, which is there or not
	for _, text := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(w, "\n%d times: %s", r.Errors[text], escape.Text(text))
	}
	if len(r.Errors) > 0 {
		fmt.Fprintln(w)
	}
}
