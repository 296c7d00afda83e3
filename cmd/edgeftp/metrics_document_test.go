package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/quicnet"
	"github.com/edgeftp/edgeftp/policies/metrics"
)

// busy assembles a server of which every figure has something to show.
func busy(t *testing.T) *generation {
	t.Helper()
	state, err := os.MkdirTemp("", "figures") // the socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(state) })
	root := t.TempDir()
	conf, err := config.FromFlags(config.Flags{Root: root, Listen: []string{"127.0.0.1:0"}, StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	conf.Metrics.Listen = "127.0.0.1:0"
	conf.Events = filepath.Join(state, "events.json")
	sinks, _, err := config.Parse(filepath.Join(state, "c.yaml"), []byte("version: 1\nlisteners: [{ name: a, address: \"127.0.0.1:0\" }]\nstorage: [{ root: "+root+" }]\n"+
		"users: { anonymous: { enabled: true } }\nevents: { sinks: [{ name: ops, webhook: \"http://127.0.0.1:9/\", allow_private: true, on: [draining] }] }\n"))
	if err != nil {
		t.Fatal(err)
	}
	conf.Sinks = sinks.Sinks
	conf.Bandwidth = edge.Bandwidth{Server: edge.Rates{Down: 1, Up: 1}}
	in, err := assemble(t.Context(), loaded{conf: conf}, slog.New(slog.DiscardHandler), newLevels("info"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.close)
	if err := in.listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := in.metrics.Add(metrics.SourceFunc(tellMore)); err != nil {
		t.Fatal(err)
	}
	for kind := policy.EventConnect; kind.String() != "invalid"; kind++ {
		for _, text := range []string{"STOR a", "data connection: TLS 1.3"} {
			e := policy.Event{Kind: kind, Text: text, Policy: "guard", Op: policy.OpWrite, Code: 552, Took: time.Second, Meta: policy.Meta{Time: time.Now(), Session: &policy.Session{ID: 7, Listener: "main"}}}
			if err := in.metrics.Observe(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
		}
	}
	in.requests.count("GET /v1/status", 200)
	space, err := in.store.Space("policy/guard", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := space.Set("a", []byte("b"), 0); err != nil {
		t.Fatal(err)
	}
	return in
}

// tellMore tells what only servers with modules, certificates and data connections have.
func tellMore(tell func(metrics.Sample)) {
	p := control.Policy{Name: "guard", Generation: 2, Events: &control.Events{}, Shadow: &control.Shadow{},
		Sandbox: &control.Sandbox{Faults: map[string]uint64{"trap": 1}}, Stages: []control.Stage{{Stage: "fs", Verdicts: map[string]uint64{"deny": 1}}}}
	tellPolicy(tell, &p, "active")
	tellShadow(tell, &p)
	at := time.Now()
	tellCertificates(tell, []acme.Certificate{{Name: "ftp.example.org", NotBefore: at, NotAfter: at, Renew: at}})
	tellOrders(tell, map[string]certSource{"auto": ordering{}})
	tellCounts(tell, []edge.ListenerCounts{{Name: "other", Data: new(dtp.Tally).Status()}})
	seen := new(answered)
	seen.count("h3", 206)
	seen.tell(tell)
	tellQUIC(tell, "0.0.0.0:443", &quicnet.Stats{Handshakes: 1, Failed: 1, Refused: map[quicnet.Refusal]uint64{quicnet.RefusedAddress: 1}})
	(&numbers{all: map[string]map[string]number{"guard": {"a": {value: 1}, "b": {value: 1, counter: true}}}}).tell(tell)
}

// page returns what a scraper gets.
func page(t *testing.T, in *generation) string {
	t.Helper()
	return pageOf(t, in.metrics)
}

func pageOf(t *testing.T, p *metrics.Policy) string {
	t.Helper()
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// docs/metrics.md is what a server shows; UPDATE_GOLDEN=1 in the environment writes it.
// All names that the program may show are among them, and Prometheus's own linter has
// nothing to say.
func TestMetricsDocument(t *testing.T) {
	in := busy(t)
	text := page(t, in)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`"edgeftp_([a-z_]+)"|(?:counter|gauge|histogram|number)\((?:metrics\.[A-Z][a-z]+, )?"([a-z_]+)", "[A-Z]`)
	for _, file := range append(glob(t, "metrics*.go"), append(glob(t, "defence.go"), glob(t, "../../policies/metrics/*.go")...)...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(source), -1) {
			name := "edgeftp_" + strings.TrimPrefix(m[1]+m[2], "edgeftp_")
			if strings.HasSuffix(name, "_") {
				continue // the beginning of one
			}
			if families[name] == nil && families["edgeftp_policy_"+m[2]] == nil {
				t.Errorf("%s names %s, which is not shown here", file, name)
			}
		}
	}
	document := documentOf(families)
	path := filepath.Join("..", "..", "docs", "metrics.md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(document), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if was, err := os.ReadFile(path); err != nil || string(was) != document {
		t.Errorf("docs/metrics.md is not up to date (%v): UPDATE_GOLDEN=1 go test ./cmd/edgeftp -run TestMetricsDocument", err)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	return files
}

// documentOf is the document of what is shown.
func documentOf(families map[string]*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString(`# Figures

<!-- UPDATE_GOLDEN=1 go test ./cmd/edgeftp -run TestMetricsDocument writes this file. -->

` + "`telemetry.metrics.listen`" + ` in the configuration has a server show these at ` + "`/metrics`" + ` for Prometheus. The same address
answers ` + "`GET /healthz`" + ` (the process answers) and ` + "`GET /readyz`" + ` (200 where no component has failed, else 503), with no more than
a word: whoever reaches it may read it.

No label is a user, a path, an address or anything else that a client chooses, so that the number of series does not depend
on clients: listeners, policies and sources of logins are the configuration's names, commands are those that the server has,
and of each of these labels at most 100 values are told apart; what comes after is ` + "`other`" + `. Histograms have the classic
buckets, and those of native histograms where a scraper asks for them; but for ` + "`edgeftp_policy_call_duration_seconds`" + `,
` + "`edgeftp_policy_instance_wait_seconds`" + `, ` + "`edgeftp_storage_operation_duration_seconds`" + ` and ` + "`edgeftp_transfer_first_byte_seconds`" + `,
which have classic ones alone. Besides these there are the ` + "`go_`" + ` and ` + "`process_`" + ` figures of the runtime.
Rules for alerts are in ` + "`packaging/prometheus/alerts.yml`" + `.

| name | kind | labels | what it is |
|---|---|---|---|
`)
	for _, name := range slices.Sorted(maps.Keys(families)) {
		f := families[name]
		if !strings.HasPrefix(name, "edgeftp_") {
			continue
		}
		labels := map[string]bool{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels["`"+l.GetName()+"`"] = true
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()), strings.Join(slices.Sorted(maps.Keys(labels)), ", "), f.GetHelp())
	}
	return b.String()
}

// ordering is a source of certificates that has ordered one.
type ordering struct{ certSource }

func (ordering) Orders() []acme.OrderCount {
	return []acme.OrderCount{{CA: "letsencrypt", Result: "ok", Count: 1}}
}
