package main

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/policies/metrics"
)

// What goes wrong beside the sessions is counted, shown by status and among the figures,
// and in the log once; who collects the figures may fail too.
func TestPanicsAreCounted(t *testing.T) {
	elsewhere(t)
	state, err := os.MkdirTemp("", "panics") // the socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(state) })
	if err := os.Mkdir("root", 0o755); err != nil {
		t.Fatal(err)
	}
	conf, err := config.FromFlags(config.Flags{Root: "root", Listen: []string{"127.0.0.1:0"}, StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	var said lockedBuffer
	in, err := assemble(t.Context(), loaded{conf: conf}, slog.New(slog.NewJSONHandler(&said, nil)), newLevels("info"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	in.guard(func() { panic("watching") })
	in.collect(func(metrics.Sample) { panic("collecting") })
	if st := (controller{modules: in.modules, in: in.instance}).Status(); st.Panics != 2 {
		t.Errorf("%d panics are counted", st.Panics)
	}
	figure := -1.0
	in.collect(func(s metrics.Sample) {
		if s.Name == "edgeftp_panics_total" {
			figure = s.Value
		}
	})
	if figure != 2 {
		t.Errorf("the figure is %v", figure)
	}
	log := said.String()
	if strings.Count(log, `"stack"`) != 2 || !strings.Contains(log, `"panic":"watching"`) || !strings.Contains(log, "panics_test.go") {
		t.Error(log)
	}
	var b strings.Builder
	printOverview(&b, overview{Status: (controller{modules: in.modules, in: in.instance}).Status()})
	if !strings.Contains(b.String(), "mistakes   2 of the server's own") {
		t.Error(b.String())
	}
}
