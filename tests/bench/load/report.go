//go:build linux

package main

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
)

// result is one measurement.
type result struct {
	Scenario string  `json:"scenario"`
	Server   string  `json:"server"` // or the bare path
	Round    int     `json:"round"`
	Figures  figures `json:"figures,omitempty"`
	Error    string  `json:"error,omitempty"`
}

// span is what several measurements of one thing found.
type span struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"rounds"`
}

// report is everything that a run found.
type report struct {
	Machine   string            `json:"machine"`
	Began     string            `json:"began"`
	Place     string            `json:"place"` // tree, disk, namespace
	Arguments []string          `json:"arguments"`
	Servers   map[string]string `json:"servers"`  // versions and how they are set up
	Binaries  map[string]int64  `json:"binaries"` // sizes of the builds of edgeftp
	Results   []result          `json:"results"`
	Judged    []judgement       `json:"goals,omitempty"`

	order []string // names of servers, as columns
	peers map[string]bool
}

// us is whom the ratios are of.
const us = "edgeftp"

// chained is us with three policy modules.
const chained = us + "+3"

// of is what was found of a server's figure; false if nothing was.
func (r *report) of(scenario, server, figure string) (span, bool) {
	var all []float64
	for _, x := range r.Results {
		if v, ok := x.Figures[figure]; ok && x.Scenario == scenario && x.Server == server && !math.IsNaN(v) && !math.IsInf(v, 0) {
			all = append(all, v)
		}
	}
	return spread(all), len(all) > 0
}

// spread is the span of some values.
func spread(all []float64) span {
	if len(all) == 0 {
		return span{}
	}
	all = slices.Clone(all)
	slices.Sort(all)
	n := len(all)
	median := all[n/2]
	if n%2 == 0 {
		median = (all[n/2-1] + all[n/2]) / 2
	}
	return span{Median: median, Min: all[0], Max: all[n-1], Rounds: n}
}

// ratio is how much better a is than b in a figure: above 1 is better, whichever way
// the figure is read. It is 0 where there is nothing to divide by.
func ratio(figure string, a, b float64) float64 {
	if !higher(figure) {
		a, b = b, a
	}
	if b <= 0 || a < 0 {
		return 0
	}
	return a / b
}

// absolute reports whether a figure has a value that it should have, so that it says
// nothing to divide it by another server's.
func absolute(figure string) bool {
	return figure == "ok" || strings.HasSuffix(figure, "/limit") || strings.HasPrefix(figure, "slowest/")
}

// best is the peer with the best median of a figure.
func (r *report) best(scenario, figure string) (name string, value float64) {
	if absolute(figure) {
		return "", 0
	}
	for _, s := range r.order {
		v, ok := r.of(scenario, s, figure)
		if !ok || !r.peers[s] {
			continue
		}
		if name == "" || ratio(figure, v.Median, value) > 1 {
			name, value = s, v.Median
		}
	}
	return name, value
}

// paired is the span of the quotients of two servers, round by round: neighbours in
// time are compared.
func (r *report) paired(scenario, figure, a, b string) (span, bool) {
	rounds := map[int][2]float64{}
	for _, x := range r.Results {
		v, ok := x.Figures[figure]
		if !ok || x.Scenario != scenario {
			continue
		}
		pair := rounds[x.Round]
		switch x.Server {
		case a:
			pair[0] = v
		case b:
			pair[1] = v
		}
		rounds[x.Round] = pair
	}
	var all []float64
	for _, p := range rounds {
		if p[0] > 0 && p[1] > 0 {
			all = append(all, ratio(figure, p[0], p[1]))
		}
	}
	return spread(all), len(all) > 0
}

// write writes the report as JSON.
func (r *report) write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
