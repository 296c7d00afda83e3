//go:build linux

package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

// TestRatio holds that above 1 is better whichever way a figure is read, and that
// nothing is divided by 0.
func TestRatio(t *testing.T) {
	for _, tt := range []struct {
		figure     string
		a, b, want float64
	}{
		{"ops/s", 200, 100, 2}, {"ops/s", 50, 100, 0.5}, {"srv_cpu_s/GB", 200, 100, 0.5}, {"srv_cpu_s/GB", 50, 100, 2},
		{"p99_us", 25, 100, 4}, {"private_KiB/session", 1.5, 3, 2}, {"ops/s", 1, 0, 0}, {"srv_cpu_us/op", 0, 1, 0}, {"slowest/mean", 0.5, 0.25, 2},
	} {
		if got := ratio(tt.figure, tt.a, tt.b); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: %g beside %g is %g, want %g", tt.figure, tt.a, tt.b, got, tt.want)
		}
	}
}

// sample is a report with three rounds of four servers.
func sample() *report {
	r := &report{order: []string{us, chained, "vsftpd", "pureftpd"}, peers: map[string]bool{"vsftpd": true, "pureftpd": true}}
	add := func(scenario, server string, of func(v float64) figures, values ...float64) {
		for i, v := range values {
			r.Results = append(r.Results, result{Scenario: scenario, Server: server, Round: i, Figures: of(v)})
		}
	}
	cpu := func(v float64) figures { return figures{"srv_cpu_s/GB": v, "MB/s": 1000 / v} }
	add("tlsdl1", us, cpu, 0.8, 0.7, 0.9)
	add("tlsdl1", chained, cpu, 0.4, 0.7, 1.8)
	add("tlsdl1", "vsftpd", cpu, 2, 2, 2)
	add("tlsdl1", "pureftpd", cpu, 1.2, 9, 1.1)
	add("tlsdl1", "tlsdown-gather", cpu, 0.78, 0.78, 0.78)
	add("noop-pipe", us, func(v float64) figures { return figures{"ops/s": v} }, 100, 300)
	add("noop-pipe", "vsftpd", func(v float64) figures { return figures{"ops/s": v} }, 60, 40)
	add("throttledl1", us, func(v float64) figures {
		return figures{"error_%": 0.1, "max_100ms/limit": 1 + 0.05, "srv_cpu_s/GB": v}
	}, 0.5)
	add("storm1", us, func(v float64) figures { return figures{"refused": v} }, 0)
	return r
}

func TestSummary(t *testing.T) {
	r := sample()
	if v, ok := r.of("tlsdl1", us, "srv_cpu_s/GB"); !ok || v != (span{0.8, 0.7, 0.9, 3}) {
		t.Errorf("the span is %v, %v", v, ok)
	}
	if v, _ := r.of("noop-pipe", us, "ops/s"); v.Median != 200 {
		t.Errorf("the median of two is %v", v)
	}
	if name, v := r.best("tlsdl1", "srv_cpu_s/GB"); name != "pureftpd" || v != 1.2 { // not the median of bests, and not the bare path or our own
		t.Errorf("the best is %s with %g", name, v)
	}
	if name, _ := r.best("tlsdl1", "MB/s"); name != "pureftpd" {
		t.Errorf("the fastest is %s", name)
	}
	if name, _ := r.best("throttledl1", "max_100ms/limit"); name != "" {
		t.Errorf("%s is the best of a figure that has one right value", name)
	}
	if v, ok := r.paired("tlsdl1", "srv_cpu_s/GB", chained, us); !ok || v != (span{1, 0.5, 2, 3}) {
		t.Errorf("pairs: %v", v)
	}
	if _, ok := r.paired("tlsdl1", "p99_us", chained, us); ok {
		t.Error("there are pairs of nothing")
	}
}

func TestJudge(t *testing.T) {
	r := sample()
	r.judge()
	verdicts := map[string]string{}
	for _, j := range r.Judged {
		verdicts[j.Scenario+" "+j.Figure+" "+j.Goal] = j.Verdict
	}
	for goal, want := range map[string]string{
		"tlsdl1 srv_cpu_s/GB ratio ≥ 1.35":                  "reached", // 1.2 / 0.8
		"tlsdl1 srv_cpu_s/GB ≤ 1.05 × bare":                 "reached", // 0.8 / 0.78
		"tlsdl1 MB/s ratio ≥ 1.25":                          "reached",
		"noop-pipe ops/s ratio ≥ 4.00":                      "reached", // 200 / 50, and no more
		"throttledl1 error_% ≤ 0.1":                         "reached",
		"throttledl1 max_100ms/limit ≤ 1.05":                "reached",
		"throttledl1 srv_cpu_s/GB ratio to pureftpd ≥ 3.00": "not measured",
		"throttledl1 srv_cpu_s/GB ≤ 2.00 × bare":            "not measured",
		"storm1 refused = 0":                                "reached",
	} {
		if verdicts[goal] != want {
			t.Errorf("%s: %q, want %q", goal, verdicts[goal], want)
		}
	}
	if len(verdicts) != 9 {
		t.Errorf("%d goals were judged: %v", len(verdicts), verdicts)
	}
	r.Results[0].Figures["srv_cpu_s/GB"], r.Results[1].Figures["srv_cpu_s/GB"] = 1, 1
	r.judge()
	if j := r.Judged[0]; !strings.Contains(j.Verdict, "not reached") || math.Abs(j.Found-1.2) > 1e-9 {
		t.Errorf("%+v", j)
	}
}

func TestOtherBuilds(t *testing.T) {
	r := sample()
	var table strings.Builder
	r.others(&table)
	if want := "| tlsdl1 | srv_cpu_s/GB | edgeftp+3 | 1.000 | 0.500–2.000 | ≥ 0.97: reached | 3 |\n"; !strings.Contains(table.String(), want) {
		t.Errorf("the table lacks %q:\n%s", want, &table)
	}
	for name, want := range map[string]float64{"tlsdl4": 0.97, "ul1disk": 0.97, "smallstor16": 0.9, "size-pipe": 0.9, "idle1k": 0, "list10k": 0} {
		if got := chainGoal(name); got != want {
			t.Errorf("%s: %g, want %g", name, got, want)
		}
	}
}

func TestQuantiles(t *testing.T) {
	f := figures{}
	var took []time.Duration
	for i := range 101 {
		took = append(took, time.Duration(100-i)*time.Microsecond)
	}
	f.quantiles(took, time.Microsecond, "_us")
	f.quantiles(nil, time.Microsecond, "_none")
	if f["p50_us"] != 50 || f["p99_us"] != 99 || f["max_us"] != 100 || len(f) != 3 {
		t.Errorf("%v", f)
	}
}

func TestPace(t *testing.T) {
	const limit = 1000 // 100 bytes a window
	f, total := pace([][]int64{{50, 100, 110, 100}, {100, 90, 100, 100}}, limit, 4*window)
	want := figures{"rate/limit": 0.9375, "error_%": 6.25, "slowest/fastest": 360.0 / 390, "max_100ms/limit": 1.1, "min_100ms/limit": 0.9, "first_100ms/limit": 1}
	for figure, v := range want {
		if math.Abs(f[figure]-v) > 1e-9 {
			t.Errorf("%s is %g, want %g", figure, f[figure], v)
		}
	}
	if total != 750 {
		t.Errorf("total %g", total)
	}
}

func TestFairness(t *testing.T) {
	if v := fairness([]time.Duration{time.Second, time.Second}); v != 1 {
		t.Errorf("even: %g", v)
	}
	if v := fairness([]time.Duration{time.Second, time.Second, 4 * time.Second}); math.Abs(v-0.25/0.75) > 1e-12 {
		t.Errorf("one starved: %g", v)
	}
}

func TestShares(t *testing.T) {
	perf := parsePerf("# comment\n\n    38.70%  [k] _raw_spin_unlock - -\n     2.90%  [.] runtime.(*m).f[go.shape.int]  -      -            \n 1%\n")
	if len(perf) != 2 || perf[0] != (share{"_raw_spin_unlock (kernel)", 38.7}) || perf[1].function != "runtime.(*m).f[go.shape.int]" {
		t.Errorf("%v", perf)
	}
	top := parseTop("File: x\nDuration: 1s, Total samples = 10ms ( 1.0%)\n      flat  flat%   sum%        cum   cum%\n     240ms 48.00% 48.00%      250ms 50.00%  internal/runtime/syscall.Syscall6\n")
	if len(top) != 1 || top[0] != (share{"internal/runtime/syscall.Syscall6", 48}) {
		t.Errorf("%v", top)
	}
	if s := spell(perf); s != "`_raw_spin_unlock (kernel)` 38.7 %, `runtime.(*m).f[go.shape.int]` 2.9 %" {
		t.Errorf("%s", s)
	}
}

func FuzzShares(f *testing.F) {
	f.Add("    38.70%  [k] name - -\n")
	f.Add("     240ms 48.00% 48.00%      250ms 50.00%  name\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range append(parsePerf(text), parseTop(text)...) {
			if s.function == "" {
				t.Errorf("%q has a function without a name", text)
			}
		}
	})
}

func TestSpec(t *testing.T) {
	s, err := parseSpec([]byte(`{"Name":"x","Cmd":["a","-c","${DIR}/c"],"Files":{"c":"listen ${PORT}"},"TLS":true}`))
	if err != nil || s.Name != "x" || len(s.Cmd) != 3 || !s.TLS {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"", "{}", `{"Cmd":[]}`, `{"Cmd":["a"],"Port":1}`, `{"Cmd":["a"],"Files":{"../x":""}}`, `{"Cmd":["a"],"Files":{"":""}}`} {
		if s, err := parseSpec([]byte(bad)); err == nil {
			t.Errorf("%s is taken: %+v", bad, s)
		}
	}
}

func FuzzSpec(f *testing.F) {
	f.Add([]byte(`{"Cmd":["a"],"Files":{"c":"x"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSpec(text)
		if err != nil {
			return
		}
		for name := range s.Files {
			if len(s.Cmd) == 0 || strings.ContainsAny(name, "/") || name == ".." {
				t.Errorf("%q is taken: %+v", text, s)
			}
		}
	})
}
