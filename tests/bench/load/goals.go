//go:build linux

package main

import "fmt"

// goal is what a figure of edgeftp should be. What is zero is not asked for.
type goal struct {
	scenario, figure string
	ratio            float64 // to the best peer, at least
	peer             string  // instead of the best one
	bare             float64 // times the figure of the bare path, at most
	most, least      float64 // whatever the peers do
	none             bool    // it has to be 0
}

// chainGoal is the ratio that edgeftp with three modules must keep to itself without,
// in the main figure of a scenario; 0 is no goal. Nothing is asked of modules for the
// bytes of a transfer.
func chainGoal(scenario string) float64 {
	for _, g := range []struct {
		scenarios string
		ratio     float64
	}{{"dl,ul,tlsdl,tlsul", 0.97}, {"small,noop,pwd,size", 0.9}} {
		if chosen(scenario, g.scenarios) {
			return g.ratio
		}
	}
	return 0
}

// judgement is what came of a goal.
type judgement struct {
	Scenario string  `json:"scenario"`
	Figure   string  `json:"figure"`
	Goal     string  `json:"goal"`
	Found    float64 `json:"found"` // the ratio, or the figure
	Verdict  string  `json:"verdict"`
}

// String is the goal for people, without the figure. Ratios are above 1 where edgeftp is
// better, whichever way the figure is read.
func (g goal) String() string {
	switch {
	case g.ratio > 0 && g.peer != "":
		return fmt.Sprintf("ratio to %s ≥ %.2f", g.peer, g.ratio)
	case g.ratio > 0:
		return fmt.Sprintf("ratio ≥ %.2f", g.ratio)
	case g.bare > 0:
		return fmt.Sprintf("≤ %.2f × bare", g.bare)
	case g.most > 0:
		return fmt.Sprintf("≤ %g", g.most)
	case g.least > 0:
		return fmt.Sprintf("≥ %g", g.least)
	}
	return "= 0"
}

// goals are those of the project: medians of five rounds or more, on a machine that
// does little else.
func goals() []goal {
	var all []goal
	for _, name := range []string{"dl1", "dl4", "dl16"} {
		all = append(all, goal{scenario: name, figure: "srv_cpu_s/GB", ratio: 1}, goal{scenario: name, figure: "srv_cpu_s/GB", bare: 1.05}, goal{scenario: name, figure: "MB/s", ratio: 1})
	}
	for _, name := range []string{"ul1", "ul4"} {
		all = append(all, goal{scenario: name, figure: "srv_cpu_s/GB", ratio: 1}, goal{scenario: name, figure: "srv_cpu_s/GB", bare: 1.05}, goal{scenario: name, figure: "MB/s", ratio: 1})
	}
	all = append(all, goal{scenario: "ul1disk", figure: "srv_cpu_s/GB", ratio: 1})
	for _, name := range []string{"tlsdl1", "tlsdl4"} {
		all = append(all, goal{scenario: name, figure: "srv_cpu_s/GB", ratio: 1.35}, goal{scenario: name, figure: "srv_cpu_s/GB", bare: 1.05}, goal{scenario: name, figure: "MB/s", ratio: 1.25})
	}
	for _, name := range []string{"tlsul1", "tlsul4"} {
		all = append(all, goal{scenario: name, figure: "srv_cpu_s/GB", ratio: 1.1}, goal{scenario: name, figure: "srv_cpu_s/GB", bare: 1.05})
	}
	all = append(all, filesAndLogins()...)
	all = append(all, listingsAndSessions()...)
	return append(all, ratesAndCommands()...)
}

func filesAndLogins() []goal {
	all := []goal{{scenario: "smallretr1", figure: "ops/s", ratio: 1}, {scenario: "smallstor1", figure: "ops/s", ratio: 1}}
	for _, name := range []string{"smallretr16", "smallstor16", "smallretr128", "smallstor128"} {
		all = append(all, goal{scenario: name, figure: "ops/s", ratio: 1.25}, goal{scenario: name, figure: "srv_cpu_us/op", most: 110}, goal{scenario: name, figure: "p99_us", ratio: 2})
	}
	return append(all,
		goal{scenario: "smallretrtls16", figure: "ops/s", ratio: 1.3},
		goal{scenario: "smalldele16", figure: "ops/s", ratio: 1.1},
		goal{scenario: "start", figure: "p50_ms", most: 150},
		goal{scenario: "loginplain", figure: "ops/s", ratio: 1.4},
		goal{scenario: "loginplain", figure: "srv_cpu_us/op", most: 100},
		goal{scenario: "logintlsfull", figure: "srv_cpu_us/op", ratio: 1.15},
		goal{scenario: "logintlsresumed", figure: "srv_cpu_us/op", ratio: 1.15},
		goal{scenario: "storm1", figure: "all_s", most: 5}, goal{scenario: "storm1", figure: "p99_ms_noop", most: 50}, goal{scenario: "storm1", figure: "peak_MiB", most: 256}, goal{scenario: "storm1", figure: "refused", none: true},
		goal{scenario: "storm500", figure: "all_s", most: 5}, goal{scenario: "storm500", figure: "p99_ms_noop", most: 50}, goal{scenario: "storm500", figure: "peak_MiB", most: 256}, goal{scenario: "storm500", figure: "refused", none: true})
}

func listingsAndSessions() []goal {
	var all []goal
	for _, name := range []string{"list10k", "list100k", "mlsd10k", "mlsd100k"} {
		all = append(all, goal{scenario: name, figure: "entries/s", ratio: 1.5}, goal{scenario: name, figure: "srv_cpu_us/entry", ratio: 1.2}, goal{scenario: name, figure: "srv_cpu_us/entry", most: 1.9},
			goal{scenario: name, figure: "srv_cpu_us/entry", bare: 1.25}, goal{scenario: name, figure: "ttfb_ms", most: 1})
	}
	for _, name := range []string{"idle1k", "idle5k", "idle10k"} {
		all = append(all, goal{scenario: name, figure: "private_KiB/session", ratio: 2.5}, goal{scenario: name, figure: "private_KiB/session", most: 1.5})
	}
	for _, name := range []string{"idletls1k", "idletls10k"} {
		all = append(all, goal{scenario: name, figure: "private_KiB/session", ratio: 3.2}, goal{scenario: name, figure: "private_KiB/session", most: 10})
	}
	all = append(all, goal{scenario: "idle10k", figure: "p99_us_hot", ratio: 1}, goal{scenario: "idle10k", figure: "quiet_cpu_ms/s", most: 1})
	for _, name := range []string{"mix300retr", "mix300stor", "mix1000retr", "mix1000stor"} {
		all = append(all, goal{scenario: name, figure: "transfer_s", ratio: 1}, goal{scenario: name, figure: "srv_cpu_s/GB", ratio: 1}, goal{scenario: name, figure: "login_s", ratio: 1.2},
			goal{scenario: name, figure: "quit_s", ratio: 1}, goal{scenario: name, figure: "private_MiB_idle", ratio: 2, peer: "pyftpdlib"},
			goal{scenario: name, figure: "private_MiB_after", ratio: 1, peer: "pyftpdlib"}, goal{scenario: name, figure: "slowest/mean", least: 0.25})
	}
	return all
}

func ratesAndCommands() []goal {
	var all []goal
	for _, name := range []string{"throttledl1", "throttledl50", "throttleul1"} {
		off := 0.05
		if name == "throttledl50" {
			off = 0.1
		}
		all = append(all, goal{scenario: name, figure: "error_%", most: 0.1}, goal{scenario: name, figure: "min_100ms/limit", least: 1 - off},
			goal{scenario: name, figure: "max_100ms/limit", most: 1 + off}, goal{scenario: name, figure: "first_100ms/limit", least: 1 - off},
			goal{scenario: name, figure: "first_100ms/limit", most: 1 + off}, goal{scenario: name, figure: "slowest/fastest", least: 0.995})
	}
	all = append(all, goal{scenario: "throttledl1", figure: "srv_cpu_s/GB", ratio: 3, peer: "pureftpd"}, goal{scenario: "throttledl1", figure: "srv_cpu_s/GB", bare: 2},
		goal{scenario: "throttledl50", figure: "srv_cpu_s/GB", ratio: 3, peer: "pureftpd"}, goal{scenario: "throttledl50", figure: "srv_cpu_s/GB", bare: 2})
	for _, name := range []string{"noop1", "noop16", "pwd16", "size16"} {
		all = append(all, goal{scenario: name, figure: "ops/s", ratio: 1}, goal{scenario: name, figure: "srv_cpu_us/op", ratio: 1})
	}
	for _, name := range []string{"noop-pipe", "pwd-pipe", "size-pipe"} {
		all = append(all, goal{scenario: name, figure: "ops/s", ratio: 4})
	}
	return all
}

// judge holds the report against the goals of the scenarios that were measured.
func (r *report) judge() {
	bare := map[string][]string{}
	for _, sc := range scenarios() {
		bare[sc.name] = sc.bare
	}
	r.Judged = nil
	for _, g := range goals() {
		mine, ok := r.of(g.scenario, us, g.figure)
		if !ok {
			continue
		}
		j := judgement{Scenario: g.scenario, Figure: g.figure, Goal: g.String()}
		found, reached, measured := g.meets(r, mine.Median, bare[g.scenario])
		j.Found = found
		switch {
		case !measured:
			j.Verdict = "not measured"
		case reached:
			j.Verdict = "reached"
		default:
			j.Verdict = fmt.Sprintf("**not reached** (%s)", number(found))
		}
		r.Judged = append(r.Judged, j)
	}
}

// rounding is what sums of fractions may be off: 1.1 is not above 1 + 0.1.
const rounding = 1e-9

// meets holds one figure against the goal.
func (g goal) meets(r *report, mine float64, bare []string) (found float64, reached, measured bool) {
	switch {
	case g.ratio > 0:
		peer, value := r.best(g.scenario, g.figure)
		if g.peer != "" {
			var v span
			if v, measured = r.of(g.scenario, g.peer, g.figure); measured {
				peer, value = g.peer, v.Median
			}
		}
		if peer == "" || g.peer != "" && !measured {
			return 0, false, false
		}
		found = ratio(g.figure, mine, value)
		return found, found >= g.ratio, true
	case g.bare > 0:
		for _, path := range bare {
			if v, ok := r.of(g.scenario, path, g.figure); ok {
				found = mine / v.Median
				return found, found <= g.bare, true
			}
		}
		return 0, false, false
	case g.most > 0:
		return mine, mine <= g.most+rounding, true
	case g.least > 0:
		return mine, mine >= g.least-rounding, true
	}
	return mine, mine == 0 && g.none, true
}
