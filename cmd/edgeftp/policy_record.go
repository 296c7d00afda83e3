package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/record"
)

// recordCommand is policy record.
func (a *admin) recordCommand() *cobra.Command {
	r := control.Recording{}
	var limit string
	cmd := &cobra.Command{Use: "record NAME FILE", Short: "Write down what a policy is asked and answers, for policy replay", Args: cobra.ExactArgs(2),
		Long: "Writes what the policy NAME is asked, what it asked the server and what it answered to FILE, which must not be there,\n" +
			"until --for is over, --max is reached or it is interrupted. Passwords and the bytes of files are never written.\n" +
			"Users, names of files, addresses and certificates are replaced by others of the same length, and always the same\n" +
			"within one recording; extensions, networks, groups, sizes and times stay. --names keeps them all."}
	fl := cmd.Flags()
	fl.DurationVar(&r.For, "for", time.Minute, "how long, at most 1h")
	fl.StringVar(&limit, "max", "64MiB", "size at which it ends")
	fl.IntVar(&r.Sample, "sample", 100, "percent of the sessions")
	fl.StringSliceVar(&r.Hooks, "hook", nil, "these hooks alone: auth, fs, list, ...")
	fl.StringSliceVar(&r.Ops, "op", nil, "these operations, kinds of events and commands alone: write, rename, login, ...")
	fl.StringSliceVar(&r.Under, "under", nil, "what lies in these directories alone")
	fl.StringSliceVar(&r.Keep, "keep", nil, "directories that keep their own names")
	fl.BoolVar(&r.Names, "names", false, "keep users, names of files and addresses as they are")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if r.Max, err = config.ParseSize(limit); err != nil {
			return exitWith(exitUsage, fmt.Errorf("--max: %w", err))
		}
		if err = recordable(&r); err != nil {
			return exitWith(exitUsage, err)
		}
		return a.record(cmd, args[0], args[1], r)
	}
	return cmd
}

// recordable refuses what would record nothing: hooks and operations that there are not.
// Commands cannot be told from what is none, but are in capitals.
func recordable(r *control.Recording) error {
	var hooks, ops []string
	for h := abi.HookAuth; h < abi.HookIdle; h++ {
		hooks = append(hooks, h.String())
	}
	for op := policy.OpStat; op <= policy.OpSymlink; op++ {
		ops = append(ops, op.String())
	}
	for _, h := range r.Hooks {
		if !slices.Contains(hooks, h) {
			return fmt.Errorf("--hook: %q is no hook\n   = help: there are %s", h, strings.Join(hooks, ", "))
		}
	}
	for _, k := range policy.GuestEvents() {
		ops = append(ops, k.String())
	}
	for _, op := range r.Ops {
		if !slices.ContainsFunc(ops, func(s string) bool { return strings.EqualFold(s, op) }) && op != strings.ToUpper(op) {
			return fmt.Errorf("--op: %q is no operation, no kind of event and no command in capitals\n   = help: there are %s", op, strings.Join(ops, ", "))
		}
	}
	return nil
}

func (a *admin) record(cmd *cobra.Command, name, file string, r control.Recording) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return exitWith(exitFailed, fmt.Errorf("the recording cannot be written: %w\n   = help: name a file that is not there yet", err))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "asks the server to record %s for %v; interrupt it to end it sooner\n", name, r.For)
	interrupted, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(interrupted, r.For+time.Minute)
	defer cancel()
	n, err := a.client().Record(ctx, name, r, f)
	if interrupted.Err() != nil && n > 0 {
		err = nil // what was written until then is whole
	}
	err = errors.Join(err, f.Close())
	switch {
	case errors.Is(err, control.ErrUnreachable):
		err = exitWith(exitUnreachable, err)
	case err != nil:
		err = exitWith(exitFailed, err)
	}
	if err != nil {
		if n == 0 {
			_ = os.Remove(file) // it is our own, and empty
		}
		return err
	}
	sum, err := summarize(file)
	if err != nil {
		return exitWith(exitFailed, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d exchanges, %d bytes%s\n", file, sum.exchanges, n, sum.more())
	return nil
}

// summary is what there is in a recording.
type summary struct {
	exchanges int
	end       *record.End // nil if it was cut off
}

func (s *summary) more() string {
	switch {
	case s.end == nil:
		return ", ended before its time"
	case s.end.Full:
		return ", ended at its greatest size"
	case s.end.Dropped > 0:
		return fmt.Sprintf("; %d came too fast and are not in it", s.end.Dropped)
	}
	return ""
}

func summarize(file string) (s summary, err error) {
	list, end, err := readRecording(file)
	return summary{len(list), end}, err
}

// readRecording reads a recording up to its end, or as far as it is whole.
func readRecording(file string) (list []*record.Exchange, end *record.End, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fmt.Errorf("the recording cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	r, err := record.NewReader(f)
	for err == nil {
		var x *record.Exchange
		if x, err = r.Next(); err == nil {
			list = append(list, x)
		}
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return list, r.End(), nil
	}
	return nil, nil, fmt.Errorf("%s: %w\n   = help: edgeftp policy record makes recordings; edgeftp policy crashes lists the bundles of crashes", file, err)
}

// crashesCommand is policy crashes.
func (a *admin) crashesCommand() *cobra.Command {
	return &cobra.Command{Use: "crashes [NAME]", Short: "List what modules crashed at, the newest first", Args: cobra.MaximumNArgs(1),
		Long: "Lists the crashes that the server kept in STATE/crashes: the last " + fmt.Sprint(crashesKept) + ", with what was asked, without passwords.\n" +
			"policy run --bundle FILE asks the same again, without a server.",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := filepath.Join(a.stateDir, "crashes")
			names, err := crashFiles(dir)
			if err != nil {
				return exitWith(exitFailed, fmt.Errorf("the crashes cannot be listed: %w", err))
			}
			if len(names) == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "no crash is kept in %s\n", dir)
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for i := len(names) - 1; i >= 0; i-- {
				printCrash(t, filepath.Join(dir, names[i]), cmp.Or(append(args, "")...))
			}
			return exitWith(exitFailed, t.Flush())
		}}
}

// printCrash tells of one crash of a policy, or of any.
func printCrash(w io.Writer, file, name string) {
	list, _, err := readRecording(file)
	switch {
	case err != nil || len(list) == 0:
		fmt.Fprintf(w, "%s\tcannot be read\n", file)
	case list[0].Err == nil:
		fmt.Fprintf(w, "%s\tno crash\n", file)
	case name == "" || list[0].Module.Policy == name:
		x := list[0]
		text, _, _ := strings.Cut(strings.TrimSpace(cmp.Or(x.Stderr, x.Err.Error())), "\n")
		fmt.Fprintf(w, "%s\t%s@g%d\t%s\t%s\t%s\n", file, x.Module.Policy, x.Module.Generation, x.Hook, strings.Map(visible, opOf(&x.Exchange)), strings.Map(visible, text))
	}
}
