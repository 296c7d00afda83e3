package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

func printPolicies(w io.Writer, policies []control.Policy) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tGEN\tSTATE\tDIGEST\tVERSION\tSIGNED\tHOOKS\tCALLS\tDENIED\tFAILED\tP50\tP99\tINSTANCES\tQUEUE\tSINCE")
	for i := range policies {
		p := &policies[i]
		printPolicy(t, p)
		if p.Trial != nil {
			printPolicy(t, &p.Trial.Candidate)
		}
		if s := p.Shadow; s != nil {
			fmt.Fprintf(t, "%s\t-\tshadow\t%s\t%s\t-\t-\t%d\t%d differ\t%d\t-\t-\t-\t%d\t%s\n", p.Name, brief(s.Digest), dash(s.Version),
				s.Compared, s.Differed, s.Failed, s.Queued, s.Since.Format(time.RFC3339))
		}
	}
	_ = t.Flush() // to a terminal, which is there or not
}

func printPolicy(w io.Writer, p *control.Policy) {
	state := p.State
	if p.Kind == "native" {
		state = "native"
	}
	queued := 0
	if p.Events != nil {
		queued = p.Events.Queued
	}
	p50, p99 := slowest(p.Stages)
	fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%s\n", p.Name, p.Generation, state, brief(p.Digest), dash(p.Version),
		dash(p.Signer), dash(strings.Join(p.Hooks, ",")), p.Calls, p.Denied, p.Failed, p50, p99, p.Instances, queued, p.Since.Format(time.RFC3339))
}

// slowest are the times of the slowest stage that sessions wait for.
func slowest(stages []control.Stage) (p50, p99 string) {
	var a, b float64
	for _, s := range stages {
		if s.Stage != "event" {
			a, b = max(a, s.P50), max(b, s.P99)
		}
	}
	return seconds(a), seconds(b)
}

func seconds(s float64) string {
	if s == 0 {
		return "-"
	}
	return time.Duration(s * float64(time.Second)).String()
}

// brief is the beginning of a digest.
func brief(digest string) string { return dash(digest[:min(len(digest), 19)]) }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func printHistory(w io.Writer, got any) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NO\tDIGEST\tVERSION\tSIGNED\tBYTES\tACCEPTED\tSOURCE")
	for _, e := range got.([]control.Accepted) {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", e.Number, brief(e.Digest), dash(e.Version), dash(e.Signer), e.Size, e.At.Format(time.RFC3339), dash(e.Source))
	}
	_ = t.Flush() // likewise
}

func printDifferences(w io.Writer, got any) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tSTAGE\tOP\tUSER\tPATH\tIN FORCE\tCANDIDATE")
	for _, d := range got.([]control.Difference) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%q\t%q\t%s\t%s\n", d.Time.Format(time.RFC3339), d.Stage, dash(d.Op), d.User, d.Path, d.Main, d.Candidate)
	}
	_ = t.Flush() // likewise
}
