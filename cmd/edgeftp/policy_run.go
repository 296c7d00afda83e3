package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/workshop"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// runCommand is policy run.
func (a *admin) runCommand() *cobra.Command {
	var q asking
	var bundle, raw string
	cmd := &cobra.Command{Use: "run [DIR|FILE.wasm]", Short: "Ask a policy one question, and tell all that came of it", Args: cobra.MaximumNArgs(1),
		Long: "Asks the policy in a folder (default .), or a built module, one question, in the world of its tests and with their\n" +
			"settings: what it answers, its log, what it asked the host, its fuel, time and memory; and where it failed.\n\n" +
			"--bundle asks what crashed a policy on a server (policy crashes lists them), with what the host told it then; give\n" +
			"the settings of the server with --settings. It exits with 1 if there is no answer."}
	q.flags(cmd)
	cmd.Flags().StringVar(&bundle, "bundle", "", "file that the server kept of a crash, in the place of --event")
	cmd.Flags().StringVar(&raw, "record", "", "file with the bytes of one record (ABI, section 3), in the place of --event")
	cmd.MarkFlagsMutuallyExclusive("event", "bundle", "record")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		if q.event == "" && bundle == "" && raw == "" {
			return exitWith(exitUsage, errors.New("there is no question: give --event, --bundle or --record\n"+eventHelp))
		}
		src, err := q.source(pathOf(args))
		if err != nil {
			return exitWith(exitFailed, err)
		}
		ask, err := asked(&q, bundle, raw)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		s, err := workshop.Open(cmd.Context(), src)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		defer s.Close()
		r := ask(cmd, s)
		if err := a.show(cmd, r, r.Print); err != nil {
			return err
		}
		return exitWith(exitFailed, r.Err())
	}
	return cmd
}

// asked makes the one question that the flags name.
func asked(q *asking, bundle, raw string) (func(*cobra.Command, *workshop.Shop) *workshop.Run, error) {
	switch {
	case bundle != "":
		list, _, err := readRecording(bundle)
		if err == nil && len(list) == 0 {
			err = errors.New("there is no exchange in it")
		}
		if err != nil {
			return nil, fmt.Errorf("--bundle: %w", err)
		}
		x := list[0]
		answers := x.Host
		if answers == nil {
			answers = []wasmhost.HostCall{} // it asked nothing, and is told nothing of then
		}
		return func(cmd *cobra.Command, s *workshop.Shop) *workshop.Run {
			if x.Module.Digest != s.Facts.Digest {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: %s crashed with another module (%.19s, version %s)\n", x.Module.Policy, x.Module.Digest, cmp.Or(x.Module.Version, "none"))
			}
			return s.RunRecord(cmd.Context(), x.Record, answers)
		}, nil
	case raw != "":
		record, err := os.ReadFile(raw)
		if err != nil {
			return nil, fmt.Errorf("--record: %w", err)
		}
		return func(cmd *cobra.Command, s *workshop.Shop) *workshop.Run {
			return s.RunRecord(cmd.Context(), record, nil)
		}, nil
	}
	c, err := q.question()
	return func(cmd *cobra.Command, s *workshop.Shop) *workshop.Run { return s.Run(cmd.Context(), c) }, err
}
