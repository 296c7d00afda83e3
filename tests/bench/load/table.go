//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// table prints the report as Markdown: for each scenario its main figure and those
// that have a goal, or all.
func (r *report) table(w io.Writer, all bool) {
	fmt.Fprintf(w, "%s\n\n%s\n\n", r.Machine, r.Place)
	for _, name := range slices.Sorted(maps.Keys(r.Binaries)) {
		fmt.Fprintf(w, "%s: %.1f MiB\n\n", name, float64(r.Binaries[name])/(1<<20))
	}
	fmt.Fprintf(w, "| scenario | figure | %s | ratio to the best | against the bare path | goal | rounds | spread |\n", strings.Join(r.order, " | "))
	fmt.Fprintln(w, "|---|---|"+strings.Repeat("---|", len(r.order)+5))
	for _, sc := range scenarios() {
		for _, figure := range r.rows(sc, all) {
			r.row(w, sc, figure)
		}
	}
	r.others(w)
	fmt.Fprintln(w)
	for _, s := range r.order {
		fmt.Fprintf(w, "- %s: %s\n", s, cmp.Or(r.Servers[s], "was not started"))
	}
	for _, x := range r.Results {
		if x.Error != "" {
			fmt.Fprintf(w, "\n%s, %s, round %d: %s\n", x.Scenario, x.Server, x.Round+1, strings.Join(strings.Fields(x.Error), " "))
		}
	}
}

// rows are the figures of a scenario that get a row.
func (r *report) rows(sc scenario, all bool) []string {
	found := map[string]bool{}
	for _, x := range r.Results {
		if x.Scenario == sc.name && slices.Contains(r.order, x.Server) {
			for figure := range x.Figures {
				found[figure] = true
			}
		}
	}
	var rows []string
	add := func(figure string) {
		if found[figure] && !slices.Contains(rows, figure) {
			rows = append(rows, figure)
		}
	}
	add(sc.main)
	for _, g := range goals() {
		if g.scenario == sc.name {
			add(g.figure)
		}
	}
	if all {
		for _, figure := range slices.Sorted(maps.Keys(found)) {
			add(figure)
		}
	}
	return rows
}

func (r *report) row(w io.Writer, sc scenario, figure string) {
	fmt.Fprintf(w, "| %s | %s |", sc.name, figure)
	for _, s := range r.order {
		if v, ok := r.of(sc.name, s, figure); ok {
			fmt.Fprintf(w, " %s |", number(v.Median))
		} else {
			fmt.Fprint(w, " – |")
		}
	}
	mine, ok := r.of(sc.name, us, figure)
	against, bare := " |", " |"
	if name, value := r.best(sc.name, figure); ok && name != "" {
		against = fmt.Sprintf(" %.2f (%s) |", ratio(figure, mine.Median, value), name)
	}
	for _, path := range sc.bare {
		if v, found := r.of(sc.name, path, figure); ok && found {
			bare = fmt.Sprintf(" %.2f × %s of %s |", mine.Median/v.Median, number(v.Median), path)
		}
	}
	var words []string
	for _, j := range r.Judged {
		if j.Scenario == sc.name && j.Figure == figure {
			words = append(words, j.Goal+": "+j.Verdict)
		}
	}
	fmt.Fprintf(w, "%s%s %s |", against, bare, strings.Join(words, "; "))
	if ok {
		fmt.Fprintf(w, " %d | %s–%s |\n", mine.Rounds, number(mine.Min), number(mine.Max))
	} else {
		fmt.Fprintln(w, " | |")
	}
}

// others compares other builds of edgeftp, and that with modules, with us: medians
// of the quotients of each round.
func (r *report) others(w io.Writer) {
	var builds []string
	for _, s := range r.order {
		if s != us && !r.peers[s] {
			builds = append(builds, s)
		}
	}
	if len(builds) == 0 {
		return
	}
	fmt.Fprintf(w, "\nOther builds against %s, round by round (above 1: the other is better):\n\n", us)
	fmt.Fprintln(w, "| scenario | figure | build | ratio | spread | goal | rounds |\n|---|---|---|---|---|---|---|")
	for _, sc := range scenarios() {
		for _, figure := range r.rows(sc, false) {
			for _, s := range builds {
				v, ok := r.paired(sc.name, figure, s, us)
				if !ok || absolute(figure) {
					continue
				}
				wish := ""
				if least := chainGoal(sc.name); s == chained && figure == sc.main && least > 0 {
					wish = fmt.Sprintf("≥ %.2f: %s", least, map[bool]string{true: "reached", false: "**not reached**"}[v.Median >= least])
				}
				fmt.Fprintf(w, "| %s | %s | %s | %.3f | %.3f–%.3f | %s | %d |\n", sc.name, figure, s, v.Median, v.Min, v.Max, wish, v.Rounds)
			}
		}
	}
}

// number has four digits.
func number(v float64) string {
	if v >= 1000 || v <= -1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}
