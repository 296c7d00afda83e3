package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ftpclient"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/progress"
)

// moved is what -o json tells of get, put and mirror.
type moved struct {
	Results []ftpclient.Result `json:"results"`
	Summary tally              `json:"summary"`
}

// tally counts results.
type tally struct {
	Done    int     `json:"done"`
	Same    int     `json:"same"`
	Deleted int     `json:"deleted"`
	Planned int     `json:"planned"`
	Skipped int     `json:"skipped"`
	Failed  int     `json:"failed"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

func tallied(results []ftpclient.Result, took time.Duration) tally {
	s := tally{Seconds: took.Seconds()}
	count := map[string]*int{ftpclient.Done: &s.Done, ftpclient.Same: &s.Same, ftpclient.Deleted: &s.Deleted,
		ftpclient.Planned: &s.Planned, ftpclient.Skipped: &s.Skipped, ftpclient.Failed: &s.Failed}
	for i := range results {
		s.Bytes += results[i].Bytes
		if n := count[results[i].Status]; n != nil && (results[i].Op != "mkdir" || results[i].Status != ftpclient.Done) {
			*n++
		}
	}
	return s
}

// report tells what came of all, and how the program is to end.
func (m *moving) report(ctx context.Context, cmd *cobra.Command, results []ftpclient.Result, took time.Duration, broken error) error {
	s := tallied(results, took)
	if m.output == "json" {
		if results == nil {
			results = []ftpclient.Result{}
		}
		if err := writeJSON(cmd.OutOrStdout(), moved{results, s}); err != nil {
			return exitWith(exitFailed, err)
		}
	} else if err := m.tell(cmd, results, s); err != nil {
		return err
	}
	if err := m.ended(ctx, broken); err != nil {
		return err
	}
	if s.Failed == 0 {
		if strange := strangeNames(results); strange > 0 {
			return exitWith(exitChecks, fmt.Errorf("%d names of the server were left away, because no file may have them", strange))
		}
		return nil
	}
	first := firstFailure(results)
	if len(results) == 1 || ctx.Err() != nil {
		return m.ended(ctx, first)
	}
	return m.severalFailed(s, results, first)
}

// severalFailed ends with the code of the failures, if they all have the same.
func (m *moving) severalFailed(s tally, results []ftpclient.Result, first error) error {
	code := exitFailed
	var exit *exitError
	if errors.As(m.ended(context.Background(), first), &exit) {
		code = exit.code
	}
	for i := range results {
		if results[i].Err != nil && (!errors.As(m.ended(context.Background(), results[i].Err), &exit) || exit.code != code) {
			code = exitFailed
		}
	}
	return exitWith(code, fmt.Errorf("%d of %d failed", s.Failed, s.Done+s.Same+s.Deleted+s.Failed))
}

func firstFailure(results []ftpclient.Result) error {
	for i := range results {
		if results[i].Err != nil && results[i].Status == ftpclient.Failed {
			return results[i].Err
		}
	}
	return errors.New("it failed")
}

func strangeNames(results []ftpclient.Result) (n int) {
	for i := range results {
		if results[i].Status == ftpclient.Skipped && results[i].Err != nil {
			n++
		}
	}
	return n
}

// tell tells people: of each file that was not simply moved, and of all together.
func (m *moving) tell(cmd *cobra.Command, results []ftpclient.Result, s tally) error {
	on, err := coloured(cmd, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	out, problems := cmd.OutOrStdout(), cmd.ErrOrStderr()
	for i := range results {
		switch r := &results[i]; {
		case r.Status == ftpclient.Failed && len(results) > 1:
			fmt.Fprintln(problems, palette(on).of(red, "failed"), strings.TrimPrefix(resultLine(r), "failed "))
		case r.Status == ftpclient.Skipped:
			fmt.Fprintln(problems, palette(on).of(yellow, "skipped"), strings.TrimPrefix(resultLine(r), "skipped "))
		case m.quiet || r.Status == ftpclient.Same && !m.verbose || r.Status == ftpclient.Failed:
		case r.Status != ftpclient.Done || len(results) <= 20 || m.verbose:
			fmt.Fprintln(out, resultLine(r))
		}
	}
	if !m.quiet && len(results) > 1 {
		fmt.Fprintln(out, s.line())
	}
	return nil
}

// line is a tally for people.
func (s *tally) line() string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{s.Done, "moved"}, {s.Same, "unchanged"}, {s.Deleted, "deleted"}, {s.Planned, "would change"}, {s.Skipped, "skipped"}, {s.Failed, "failed"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	text := strings.Join(parts, ", ")
	if s.Bytes > 0 {
		text += fmt.Sprintf("; %s in %.1f s (%s/s)", progress.Bytes(s.Bytes), s.Seconds, progress.Bytes(int64(float64(s.Bytes)/max(s.Seconds, 0.001))))
	}
	return text
}

// resultLine is one result for people.
func resultLine(r *ftpclient.Result) string {
	name := escape.Text(r.Remote)
	if name == "" {
		name = escape.Text(r.Local)
	}
	if r.Status != ftpclient.Done || r.Op == "mkdir" {
		text := r.Status + " " + name
		switch {
		case r.Status == ftpclient.Planned:
			text = r.Status + " " + r.Op + " " + name
		case r.Status == ftpclient.Done:
			text = "made " + name + "/"
		}
		if r.Error != "" {
			text += ": " + escape.Text(strings.ReplaceAll(r.Error, "\n   = ", "; "))
		}
		return text
	}
	arrow := name + " -> " + escape.Text(r.Local)
	if r.Op == "put" {
		arrow = escape.Text(r.Local) + " -> " + name
	}
	text := fmt.Sprintf("%s  %s in %.1f s (%s/s)", arrow, progress.Bytes(r.Bytes), r.Seconds, progress.Bytes(int64(float64(r.Bytes)/max(r.Seconds, 0.001))))
	if r.Resumed > 0 {
		text += ", continued at " + progress.Bytes(r.Resumed)
	}
	if r.Attempts > 1 {
		text += fmt.Sprintf(", %d attempts", r.Attempts)
	}
	switch r.Verified {
	case "sha256":
		text += ", verified by SHA-256"
	case "size":
		text += ", verified by its size alone"
	}
	return text
}

// oneServer reads URLs, which must name one server.
func oneServer(words []string) ([]*ftpclient.Target, error) {
	var all []*ftpclient.Target
	for _, word := range words {
		t, err := ftpclient.ParseURL(word)
		if err != nil {
			return nil, exitWith(exitUsage, err)
		}
		if len(all) > 0 {
			first := all[0]
			if t.Address() != first.Address() || t.Security != first.Security || t.User != first.User {
				return nil, exitWith(exitUsage, errors.New("the URLs name several servers, or users\n   = help: one command talks with one server; run it once for each"))
			}
		}
		all = append(all, t)
	}
	return all, nil
}

// closing closes what was only read, or whose errors are told elsewhere.
func closing(c io.Closer) { _ = c.Close() }
