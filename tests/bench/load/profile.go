//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
)

// largest is how many functions are told of.
const largest = 5

// profileEnv is what a program with the build tag profile heeds; see
// cmd/edgeftp/profile.go.
const profileEnv = "EDGEFTP_CPU_PROFILE"

// profiling runs scenarios on a program that was built with the tag profile, each on a
// server of its own.
type profiling struct {
	*field
	program string
	spool   string // where servers write
	keep    string // where the profiles are kept
	length  time.Duration
	n       int
}

// newProfiling makes the directories.
func (f *field) newProfiling(program, keep string, length time.Duration) (*profiling, error) {
	w := &profiling{field: f, program: program, spool: filepath.Join(f.ground.Dir, "profiles"), keep: keep, length: length}
	for _, dir := range []string{w.spool, keep} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	return w, peers.Lend(w.spool)
}

// record runs a scenario once and keeps the profile; beside, if there is one, is
// started with the server's process and ended with the scenario.
func (w *profiling) record(ctx context.Context, sc scenario, more string, beside func(pid int) (end func() error, err error)) (path string, err error) {
	w.n++
	spooled := filepath.Join(w.spool, fmt.Sprint(w.n))
	e := w.ours("profiled", w.program, more)
	e.set = func(ctx context.Context, v variant) (*peers.Server, error) {
		m, err := w.measured(fmt.Sprint("profiled", w.n), w.program, more, v)
		if err != nil {
			return nil, err
		}
		m.Env = []string{profileEnv + "=" + spooled}
		return w.ground.MeasuredEdgeFTP(m)
	}
	s, err := w.serves(ctx, e, sc.variant, false)
	if err != nil {
		return "", err
	}
	defer s.Stop()
	end := func() error { return nil }
	if beside != nil {
		if end, err = beside(s.PID()); err != nil {
			return "", err
		}
	}
	w.clean()
	_, err = sc.run(&turn{field: w.field, s: s, length: w.length})
	if e := end(); err == nil {
		err = e
	}
	w.clean()
	if err != nil {
		return "", fmt.Errorf("%s: %w", sc.name, err)
	}
	ending, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.Finish(ending); err != nil {
		return "", err
	}
	text, err := os.ReadFile(spooled)
	if err != nil || len(text) == 0 {
		return "", fmt.Errorf("%s: the server has left no profile: %w\n%s", sc.name, cmp.Or(err, io.ErrUnexpectedEOF), s.Log())
	}
	path = filepath.Join(w.keep, sc.name+".pprof")
	return path, os.WriteFile(path, text, 0o644)
}

// profiles takes a profile of edgeftp in each scenario and prints the largest
// functions: by perf, which sees the kernel too, where there is one; else by Go's.
func (p *plan) profile(ctx context.Context, f *field, program string, out io.Writer) error {
	w, err := f.newProfiling(program, p.profiles, p.length)
	if err != nil {
		return err
	}
	tool, err := exec.LookPath("perf")
	by := "perf, with the kernel"
	if err != nil {
		tool, by = "", "Go's profile: there is no perf here, so the kernel's functions are told of as system calls"
	}
	fmt.Fprintf(out, "Shares of processor time by %s.\n\n| scenario | the five largest functions |\n|---|---|\n", by)
	for _, sc := range scenarios() {
		if !chosen(sc.name, p.only) || sc.run == nil || sc.disk && f.diskAt == "" {
			continue
		}
		raw := filepath.Join(p.profiles, sc.name+".perf")
		var beside func(int) (func() error, error)
		if tool != "" {
			beside = func(pid int) (func() error, error) { return f.perf(ctx, tool, raw, pid) }
		}
		path, err := w.record(ctx, sc, "", beside)
		if err != nil {
			return err
		}
		var top []share
		if tool != "" {
			top, err = shares(ctx, parsePerf, tool, "report", "-i", raw, "--no-children", "-g", "none", "--stdio", "--sort", "symbol", "--percent-limit", "0.3")
		} else {
			top, err = shares(ctx, parseTop, "go", "tool", "pprof", "-top", "-nodecount", fmt.Sprint(largest), path)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s | %s |\n", sc.name, spell(top))
	}
	return nil
}

// perf records a process until it is ended.
func (f *field) perf(ctx context.Context, tool, out string, pid int) (end func() error, err error) {
	cmd := exec.CommandContext(ctx, tool, "record", "-q", "-F", "999", "-g", "-p", strconv.Itoa(pid), "-o", out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f.own(cmd.Process.Pid)
	return func() error {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it says that it was interrupted
		if st, err := os.Stat(out); err != nil || st.Size() == 0 {
			return fmt.Errorf("perf has recorded nothing in %s\n   = help: see whether kernel.perf_event_paranoid lets it, or take perf out of PATH", out)
		}
		return nil
	}, nil
}

// share is a function's part of the time.
type share struct {
	function string
	percent  float64
}

// shares runs a tool and parses what it prints.
func shares(ctx context.Context, parse func(string) []share, name string, args ...string) ([]share, error) {
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &complaint
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &complaint)
	}
	found := parse(string(text))
	if len(found) == 0 {
		return nil, fmt.Errorf("%s %s prints no function", name, strings.Join(args, " "))
	}
	return found[:min(largest, len(found))], nil
}

// parsePerf takes the lines "12.34%  [k] name" of perf report.
func parsePerf(text string) (all []share) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || !strings.HasPrefix(words[1], "[") {
			continue
		}
		if percent, ok := percentage(words[0]); ok {
			kernel := ""
			if words[1] == "[k]" {
				kernel = " (kernel)"
			}
			name := strings.TrimSuffix(strings.Join(words[2:], " "), " - -") // of columns that are empty
			all = append(all, share{name + kernel, percent})
		}
	}
	return all
}

// parseTop takes the lines "flat flat% sum% cum cum% name" of pprof -top.
func parseTop(text string) (all []share) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 6 || !strings.HasSuffix(words[4], "%") {
			continue
		}
		if percent, ok := percentage(words[1]); ok {
			all = append(all, share{strings.Join(words[5:], " "), percent})
		}
	}
	return all
}

func percentage(word string) (float64, bool) {
	digits, ok := strings.CutSuffix(word, "%")
	v, err := strconv.ParseFloat(digits, 64)
	return v, ok && err == nil
}

func spell(all []share) string {
	var b strings.Builder
	for i, s := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "`%s` %.1f %%", s.function, s.percent)
	}
	return b.String()
}
