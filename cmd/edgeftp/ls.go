package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ftpclient"
)

// listing is edgeftp ls.
type listing struct{ visitor }

// listed is what -o json tells of it.
type listed struct {
	URL     string            `json:"url"`
	Entries []ftpclient.Entry `json:"entries"`
	Refused []string          `json:"refused,omitempty"` // names that no file may have
}

func lsCommand() *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{Use: "ls URL", Short: "List a directory of a server", Args: cobra.ExactArgs(1),
		Long: "Lists a directory of a server, or tells of one file. Names are shown so that they do no harm to a terminal. Times are those of this\n" +
			"machine's zone, if the server tells them in a form that has one (MLSD); with ~ in front they may be off by hours.\n\n" + urls,
		Example: "  edgeftp ls ftp://ftp.example.org/pub/\n" +
			"  edgeftp ls --ca-file .edgeftp/ca.pem ftp://dev@127.0.0.1:2121/ -o json",
		RunE: l.run}
	l.flags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"human", "json"}, cobra.ShellCompDirectiveNoFileComp)) // it is there
	return cmd
}

func (l *listing) run(cmd *cobra.Command, args []string) error {
	t, err := ftpclient.ParseURL(args[0])
	if err != nil {
		return exitWith(exitUsage, err)
	}
	on, err := coloured(cmd, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	if err := l.prepare(ctx, cmd, t); err != nil {
		return err
	}
	s, err := l.dial(ctx)
	if err != nil {
		return l.ended(ctx, err)
	}
	defer s.Quit()
	got := listed{URL: t.String(), Entries: []ftpclient.Entry{}}
	refused, err := l.look(s, t, &got)
	if err != nil {
		return l.ended(ctx, err)
	}
	slices.SortFunc(got.Entries, func(a, b ftpclient.Entry) int { return strings.Compare(a.Name, b.Name) })
	for _, r := range refused {
		got.Refused = append(got.Refused, r.Error())
	}
	if l.output == "json" {
		return exitWith(exitFailed, writeJSON(cmd.OutOrStdout(), got))
	}
	printEntries(cmd.OutOrStdout(), got.Entries, palette(on))
	for _, r := range got.Refused {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", escape.Text(r))
	}
	return nil
}

// look lists a directory, or finds a file.
func (l *listing) look(s *ftpclient.Session, t *ftpclient.Target, got *listed) (refused []error, err error) {
	path := s.Path(t.Path)
	if !t.Folder {
		entry, err := s.Stat(path)
		if err != nil {
			return nil, err
		}
		if entry.Kind != ftpclient.Dir {
			got.Entries = append(got.Entries, *entry)
			return nil, nil
		}
	}
	entries, refused, err := s.List(path)
	got.Entries = append(got.Entries, entries...)
	return refused, err
}

func printEntries(w io.Writer, entries []ftpclient.Entry, p palette) {
	if len(entries) == 0 {
		fmt.Fprintln(w, "It is empty.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	letters := map[ftpclient.Kind]string{ftpclient.File: "-", ftpclient.Dir: "d", ftpclient.Link: "l", ftpclient.Other: "?"}
	for i := range entries {
		e := &entries[i]
		size, when := "-", "-"
		if e.Size != ftpclient.Unknown {
			size = strconv.FormatInt(e.Size, 10)
		}
		if !e.ModTime.IsZero() {
			when = e.ModTime.Local().Format(time.DateTime)
			if e.Coarse {
				when = "~" + e.ModTime.Format("2006-01-02 15:04")
			}
		}
		name := escape.Text(e.Name)
		switch e.Kind {
		case ftpclient.Dir:
			name = p.of(blue, name+"/")
		case ftpclient.Link:
			name = p.of(bold, name) + " -> " + escape.Text(e.Target)
		}
		fmt.Fprintf(t, "%s%s\t%s\t%s\t%s\n", letters[e.Kind], e.Mode, size, when, name)
	}
	_ = t.Flush() // to a terminal, which is there or not
}
