package tests

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"go.yaml.in/yaml/v4"
)

const alertsFile = "../packaging/prometheus/alerts.yml"

// alert is one rule.
type alert struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []alert
		}
	}
	if err := yaml.Load(text, &file, yaml.WithKnownFields()); err != nil || len(file.Groups) != 1 || file.Groups[0].Name != "edgeftp" {
		t.Fatalf("%v, %d groups", err, len(file.Groups))
	}
	return file.Groups[0].Rules
}

// figures returns the labels of every name in docs/metrics.md.
func figures(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\|")
	all := map[string][]string{"up": {"job", "instance"}, "process_open_fds": {"job", "instance"}, "process_max_fds": {"job", "instance"}}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		all[m[1]] = append(regexp.MustCompile("[a-z_]+").FindAllString(m[3], -1), "job", "instance")
	}
	if len(all) < 50 {
		t.Fatalf("%d figures in docs/metrics.md", len(all))
	}
	return all
}

// An alert is about figures and labels that there are, is written as Prometheus reads it,
// and says what has happened and what to do.
func TestAlerts(t *testing.T) {
	known := figures(t)
	template := regexp.MustCompile(`\$labels\.([a-z_]+)`)
	seen := map[string]bool{}
	for _, a := range alerts(t) {
		if !strings.HasPrefix(a.Alert, "Edgeftp") || seen[a.Alert] {
			t.Errorf("%q is no name, or another's", a.Alert)
		}
		seen[a.Alert] = true
		expr, err := metricsql.Parse(a.Expr)
		if err != nil {
			t.Errorf("%s: %v", a.Alert, err)
			continue
		}
		var labels []string
		names := 0
		metricsql.VisitAll(expr, func(e metricsql.Expr) {
			m, ok := e.(*metricsql.MetricExpr)
			if !ok {
				return
			}
			for _, or := range m.LabelFilterss {
				own, there := known[or[0].Value]
				if or[0].Label != "__name__" || !there {
					t.Errorf("%s: there is no figure %s", a.Alert, or[0].Value)
					continue
				}
				names++
				labels = append(labels, own...)
				for _, filter := range or[1:] {
					if !slices.Contains(own, filter.Label) {
						t.Errorf("%s: %s has no label %s", a.Alert, or[0].Value, filter.Label)
					}
				}
			}
		})
		if names == 0 {
			t.Errorf("%s is about no figure", a.Alert)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) || len(a.Annotations["summary"]) == 0 || len(a.Annotations["description"]) == 0 {
			t.Errorf("%s does not say how bad it is, what it is, or what to do", a.Alert)
		}
		for _, text := range a.Annotations {
			for _, m := range template.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(labels, m[1]) {
					t.Errorf("%s: no figure of it has a label %s", a.Alert, m[1])
				}
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d alerts", len(seen))
	}
}

// Where promtool is there, it reads the rules as well.
func TestAlertsByPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		return // TestAlerts has read the same file
	}
	if out, err := exec.CommandContext(t.Context(), tool, "check", "rules", alertsFile).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
