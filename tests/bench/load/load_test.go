//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test's own program be the server of bare paths, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == bareWord {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// build builds the program of this tree.
func build(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "edgeftp")
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-o", out}, args...), "./cmd/edgeftp")...)
	cmd.Dir = filepath.Join("..", "..", "..")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	for dir := filepath.Dir(out); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // servers are another user
			t.Fatal(err)
		}
	}
	return out
}

// smallPlan is a plan for tests: one short round of edgeftp alone, without mounts.
func smallPlan(t *testing.T, program, only string) *plan {
	t.Helper()
	t.Setenv("TMPDIR", "/tmp") // servers are another user, and go's own may be closed to them
	dir := t.TempDir()
	return &plan{rounds: 1, length: 50 * time.Millisecond, longest: time.Minute, only: only, program: program, chain: true, physical: true,
		tree: filepath.Join("..", "..", ".."), disk: dir, packages: filepath.Join(dir, "packages"), place: "in a test", progress: testLog{t}}
}

// testLog writes to a test's log.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// TestRuns has one program for both, as it takes seconds to link.
func TestRuns(t *testing.T) {
	program := build(t, "-tags", "profile")
	t.Run("short", func(t *testing.T) { short(t, program) })
	t.Run("profile", func(t *testing.T) { profile(t, program) })
}

// short lets three scenarios and two bare paths run against edgeftp alone, with a
// chain of policies and without.
func short(t *testing.T, program string) {
	p := smallPlan(t, program, "verify,tlsdl1,list10k")
	f, err := p.open(false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(f.root); err == nil {
			t.Errorf("%s is left behind", f.root)
		}
	}()
	r, err := p.report(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.measure(t.Context(), f, r); err != nil {
		t.Fatal(err)
	}
	r.judge()
	for _, x := range r.Results {
		if x.Error != "" {
			t.Errorf("%s, %s: %s", x.Scenario, x.Server, x.Error)
		}
	}
	for _, want := range []struct{ scenario, server, figure string }{
		{"verify", us, "ok"}, {"verify", chained, "ok"}, {"tlsdl1", us, "MB/s"}, {"tlsdl1", chained, "srv_cpu_s/GB"}, {"tlsdl1", "tlsdown-gather", "MB/s"},
		{"list10k", us, "entries/s"}, {"list10k", us, "srv_cpu_us/entry"}, {"list10k", "listing-10k", "srv_cpu_us/entry"},
	} {
		if v, ok := r.of(want.scenario, want.server, want.figure); !ok || v.Median <= 0 {
			t.Errorf("%s of %s in %s: %v, %v", want.figure, want.server, want.scenario, v, ok)
		}
	}
	var table bytes.Buffer
	r.table(&table, false)
	for _, want := range []string{"\n| tlsdl1 | srv_cpu_s/GB |", " of tlsdown-gather |", " ratio ≥ 1.35: not measured", "| list10k | ttfb_ms | edgeftp+3 |"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
	path := filepath.Join(t.TempDir(), "report.json")
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, new(report)); err != nil || !bytes.Contains(text, []byte(`"scenario": "tlsdl1"`)) {
		t.Errorf("the report: %v", err)
	}
}

// profile takes that of one scenario of the mix.
func profile(t *testing.T, program string) {
	p := smallPlan(t, program, "size-pipe")
	p.length, p.pgo = 300*time.Millisecond, filepath.Join(t.TempDir(), "default.pgo")
	f, err := p.open(false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if err := p.pgoProfile(t.Context(), f, p.program, io.Discard); err != nil {
		t.Fatal(err)
	}
	top, err := shares(t.Context(), parseTop, "go", "tool", "pprof", "-top", p.pgo)
	if err != nil || len(top) != largest {
		t.Errorf("its functions are %v, %v", top, err)
	}
}

// TestNames holds that names say one thing, and that what refers to them exists.
func TestNames(t *testing.T) {
	known := map[string]scenario{}
	for _, sc := range scenarios() {
		if _, twice := known[sc.name]; twice || sc.does == "" || sc.main == "" {
			t.Errorf("scenario %q: %+v", sc.name, sc)
		}
		known[sc.name] = sc
	}
	paths := map[string]bool{}
	modes := map[byte]bool{}
	for _, b := range barePaths() {
		if paths[b.name] || modes[b.mode] {
			t.Errorf("bare path %q, %c is there twice", b.name, b.mode)
		}
		paths[b.name], modes[b.mode] = true, true
	}
	for _, sc := range known {
		for _, b := range sc.bare {
			if !paths[b] {
				t.Errorf("scenario %s wants the bare path %q", sc.name, b)
			}
		}
	}
	for _, g := range goals() {
		sc, ok := known[g.scenario]
		if !ok || g.bare > 0 && len(sc.bare) == 0 || absolute(g.figure) && g.ratio > 0 {
			t.Errorf("the goal %+v is of no scenario, or cannot be reached", g)
		}
	}
	plainly, guarded := mix()
	for _, name := range append(plainly, guarded...) {
		if _, ok := known[name]; !ok {
			t.Errorf("the mix has %q", name)
		}
	}
	var out strings.Builder
	list(&out)
	if n := strings.Count(out.String(), "\n"); n != len(known)+2 || !strings.Contains(out.String(), "srv_cpu_us/entry ≤ 1.25 × bare") {
		t.Errorf("-list prints %d lines:\n%s", n, &out)
	}
}

func TestChosen(t *testing.T) {
	for _, tt := range []struct {
		name, only string
		want       bool
	}{{"dl1", "", true}, {"dl16", "dl1", true}, {"dl16", "dl1$", false}, {"dl1", "ul,dl1$", true}, {"dl1", "ul", false}, {"dl1", "ul,", false}} {
		if got := chosen(tt.name, tt.only); got != tt.want {
			t.Errorf("%s of %q: %v", tt.name, tt.only, got)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, bad := range [][]string{{"-rounds", "0"}, {"-time", "0s"}, {"dl1"}, {"-edgeftp", "old"}, {"-edgeftp", us + "=x"}, {"-what"}} {
		if _, _, err := flags(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	p, listed, err := flags([]string{"-rounds", "7", "-edgeftp", "before=x", "-edgeftp", "other=y", "-peers", "vsftpd, pureftpd", "-list"})
	if err != nil || !listed || p.rounds != 7 || len(p.builds) != 2 || fmt.Sprint(p.wants()) != "[vsftpd pureftpd]" {
		t.Errorf("%+v, %v, %v", p, listed, err)
	}
	if _, _, err := flags([]string{"-h"}); err != flag.ErrHelp {
		t.Errorf("-h: %v", err)
	}
}
