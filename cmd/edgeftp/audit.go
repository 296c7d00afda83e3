package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

func auditCommand() *cobra.Command {
	a := new(admin)
	cmd := &cobra.Command{Use: "audit", Short: "Show and verify the log of what was changed over the admin API", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	a.flags(cmd)
	cmd.AddCommand(a.auditVerify(), a.auditShow())
	return cmd
}

func (a *admin) auditVerify() *cobra.Command {
	return &cobra.Command{Use: "verify [FILE...]", Short: "Hold each record against the one before it",
		Long: "Reads the audit log of the state directory, with the files before it, and holds it against its head; or FILEs, the oldest first,\n" +
			"without a head. It exits with 5 if anything is wrong. The last line is the place and hash of the newest record: whoever keeps it\n" +
			"elsewhere can see later whether the log was made anew.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.form(); err != nil {
				return err
			}
			files, head, err := a.auditFiles(args)
			if err != nil {
				return exitWith(exitFailed, err)
			}
			report, err := audit.Verify(files, head)
			if err != nil {
				return exitWith(exitFailed, fmt.Errorf("the audit log cannot be read: %w", err))
			}
			if err := a.show(cmd, report, func(w io.Writer) error { printChain(w, &report); return nil }); err != nil {
				return err
			}
			if len(report.Faults) > 0 {
				return exitWith(exitChecks, fmt.Errorf("the audit log is not as the server has written it\n   = help: keep the files as they are; a backup, or a hash that was kept elsewhere, says up to where it was whole"))
			}
			return nil
		}}
}

// auditFiles are those that are meant, and the head that belongs to them.
func (a *admin) auditFiles(args []string) ([]string, *audit.Head, error) {
	if len(args) > 0 {
		return args, nil, nil
	}
	files, err := audit.Files(filepath.Join(a.stateDir, "audit.jsonl"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there is no audit log in %s\n   = help: --state-dir says where the server keeps its state; or name the files", a.stateDir)
	}
	if err != nil {
		return nil, nil, err
	}
	head, err := audit.ReadHead(filepath.Join(a.stateDir, "audit.head"))
	if err == nil && head == nil {
		err = errors.New("the head of the audit log is missing, which the server keeps beside it as audit.head\n   = help: name the files to verify them without it")
	}
	return files, head, err
}

func printChain(w io.Writer, r *audit.Report) {
	for _, f := range r.Faults {
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		fmt.Fprintf(w, "wrong: %s: %s\n", oneLine(place), oneLine(f.Text))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note:  %s\n", oneLine(n))
	}
	if r.First > 1 {
		fmt.Fprintf(w, "note:  it begins with record %d: older files are not here\n", r.First)
	}
	state := "whole"
	if len(r.Faults) > 0 {
		state = "NOT whole"
	}
	fmt.Fprintf(w, "%d records in %d files, %s\n", r.Records, len(r.Files), state)
	fmt.Fprintf(w, "newest: record %d, sha256 %s\n", r.Head.Seq, oneLine(r.Head.Hash))
}

func (a *admin) auditShow() *cobra.Command {
	var since string
	var limit int
	cmd := &cobra.Command{Use: "show [FILE...]", Short: "Show who changed what",
		Long: "Shows the newest records of a running server's audit log, or those of FILEs. Where no server answers, the log in the state\n" +
			"directory is read.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.form(); err != nil {
				return err
			}
			from, err := sinceTime(since, time.Now())
			if err != nil {
				return exitWith(exitUsage, err)
			}
			list, err := a.records(cmd.Context(), args, from, limit)
			if err != nil {
				return told(err)
			}
			if a.output == "json" { // one object on a line, as in the file
				enc := json.NewEncoder(escape.JSON(cmd.OutOrStdout()))
				for i := range list {
					if err := enc.Encode(list[i]); err != nil {
						return exitWith(exitFailed, err)
					}
				}
				return nil
			}
			printAudit(cmd.OutOrStdout(), list)
			return nil
		}}
	cmd.Flags().StringVar(&since, "since", "", "a time such as 2027-01-31T18:00:00Z, or how long ago, such as 2h or 7d")
	cmd.Flags().IntVar(&limit, "limit", 100, "records at most, the newest of them, up to 10000")
	return cmd
}

// sinceTime reads a time, or how long ago it was.
func sinceTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t, nil
	}
	d, err := config.ParseDuration(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("--since: %q is neither a time nor a duration\n   = help: write it like 2027-01-31T18:00:00Z, 2027-01-31, 2h or 7d", s)
	}
	return now.Add(-d), nil
}

// records asks the server, or reads files.
func (a *admin) records(ctx context.Context, files []string, since time.Time, limit int) ([]audit.Record, error) {
	if limit < 1 || limit > 10000 {
		return nil, exitWith(exitUsage, errors.New("--limit is 1 to 10000"))
	}
	if len(files) == 0 {
		ctx, cancel := context.WithTimeout(ctx, adminTime)
		defer cancel()
		list, err := a.client().Audit(ctx, since, limit)
		if !errors.Is(err, control.ErrUnreachable) {
			return list, err
		}
		if files, err = audit.Files(filepath.Join(a.stateDir, "audit.jsonl")); err != nil || len(files) == 0 {
			return nil, fmt.Errorf("%w, and there is no audit log in %s", control.ErrUnreachable, a.stateDir)
		}
	}
	var list []audit.Record
	err := audit.Select(files, func(r audit.Record) bool {
		if !r.Time.Before(since) {
			list = append(list[max(0, len(list)-limit+1):], r)
		}
		return true
	})
	if errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("%w\n   = help: the log is the server's user's: try sudo", err)
	}
	return list, err
}

func printAudit(w io.Writer, list []audit.Record) {
	if len(list) == 0 {
		fmt.Fprintln(w, "Nothing was recorded.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RECORD\tTIME\tWHO\tROLE\tRESULT\tACTION\tOBJECT\tREASON")
	for i := range list {
		r := &list[i]
		result := r.Result
		if r.Code != "" {
			result += " " + r.Code
		}
		about := r.Object
		if r.Text != "" {
			about = r.Text
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Seq, r.Time.Local().Format(time.DateTime), oneLine(r.Actor.String()), dash(oneLine(r.Actor.Role)),
			oneLine(result), oneLine(r.Action), dash(oneLine(about)), dash(oneLine(r.Reason)))
	}
	t.Flush()
}
