package metrics_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/policies/metrics"
)

// The policy is what it says it is.
var (
	_ policy.Policy   = (*metrics.Policy)(nil)
	_ policy.Observer = (*metrics.Policy)(nil)
	_ metrics.Source  = metrics.SourceFunc(nil)
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func newPolicy(t *testing.T) *metrics.Policy {
	t.Helper()
	p, err := metrics.New(metrics.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tell(t *testing.T, p *metrics.Policy, id uint64, after time.Duration, e policy.Event) {
	t.Helper()
	e.Meta = policy.Meta{Session: &policy.Session{ID: id, User: "anna", Listener: "public"}, Time: noon.Add(after)}
	if err := p.Observe(t.Context(), &e); err != nil {
		t.Error(err)
	}
}

// show returns what a scraper gets.
func show(t *testing.T, p *metrics.Policy) string {
	t.Helper()
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// everything tells of one event of each kind, and more of some.
func everything(t *testing.T, p *metrics.Policy) {
	t.Helper()
	tell(t, p, 1, 0, policy.Event{Kind: policy.EventConnect})
	tell(t, p, 2, 0, policy.Event{Kind: policy.EventConnect})
	tell(t, p, 2, 5*time.Second, policy.Event{Kind: policy.EventDisconnect})
	tell(t, p, 9, 0, policy.Event{Kind: policy.EventDisconnect}) // turned away
	for kind := policy.EventLogin; kind <= policy.EventClientMoved; kind++ {
		e := policy.Event{Kind: kind, Policy: "guard", Op: policy.OpWrite, Path: "/secret", Size: 1000, Took: time.Second, Code: 226}
		switch kind {
		case policy.EventCommandDone:
			e.Text = "STOR /secret"
		case policy.EventTLSEstablished:
			e.Text = "TLS 1.3"
		case policy.EventLogin:
			e.Text = "staff,guard"
		case policy.EventDenied:
			e.Code = 552
		}
		tell(t, p, 1, time.Second, e)
	}
	tell(t, p, 1, 0, policy.Event{Kind: policy.EventTLSEstablished, Text: "TLS 1.2 on a data connection"})
	tell(t, p, 1, 0, policy.Event{Kind: policy.EventTLSEstablished, Text: "data connection: TLS 1.3, not bound to the control connection's session"})
	tell(t, p, 1, 0, policy.Event{Kind: policy.EventLoginFailed, Text: "not looked at: busy"})
	tell(t, p, 1, 0, policy.Event{Kind: policy.EventTLSFailed, Text: "data connection: no certificate"})
	tell(t, p, 1, 0, policy.Event{Kind: policy.EventCommandDone, Text: "XYZZY", Code: 500})
	tell(t, p, 1, 0, policy.Event{Kind: policy.EventDenied})
	tell(t, p, 0, 0, policy.Event{Kind: policy.EventMaxCons, Text: "memory"})
	tell(t, p, 0, 0, policy.Event{Kind: policy.EventMaxCons, Text: "descriptors"})
}

func TestEvents(t *testing.T) {
	p := newPolicy(t)
	everything(t, p)
	text := show(t, p)
	for _, want := range []string{
		`edgeftp_sessions_opened_total{listener="public"} 2`,
		`edgeftp_session_duration_seconds_sum{listener="public"} 5`,
		`edgeftp_session_duration_seconds_bucket{listener="public",le="10"} 1`,
		`edgeftp_sessions_rejected_total{listener="public",reason="max_cons"} 1`,
		`edgeftp_sessions_rejected_total{listener="public",reason="max_cons_per_ip"} 1`,
		`edgeftp_sessions_rejected_total{listener="public",reason="memory"} 1`,
		`edgeftp_sessions_rejected_total{listener="public",reason="descriptors"} 1`,
		`edgeftp_timeouts_total{listener="public"} 1`,
		`edgeftp_logins_total{listener="public",result="ok",source="staff,guard"} 1`,
		`edgeftp_logins_total{listener="public",result="failed",source="guard"} 1`,
		`edgeftp_logins_total{listener="public",result="not_looked_at",source="none"} 1`,
		`edgeftp_login_duration_seconds_sum{source="staff,guard"} 1`,
		`edgeftp_command_duration_seconds_count{command="STOR"} 1`,
		`edgeftp_command_duration_seconds_bucket{command="STOR",le="0.5"} 0`,
		`edgeftp_commands_total{command="STOR",reply_class="2xx"} 1`,
		`edgeftp_commands_total{command="other",reply_class="5xx"} 1`,
		`edgeftp_transfers_total{direction="download",listener="public",result="complete"} 1`,
		`edgeftp_transfers_total{direction="upload",listener="public",result="incomplete"} 1`,
		`edgeftp_transfer_bytes_total{direction="upload",listener="public"} 2000`,
		`edgeftp_transfer_duration_seconds_count{direction="download"} 2`,
		`edgeftp_tls_handshakes_total{channel="control",listener="public",result="ok",resumed="false",version="1.3"} 1`,
		`edgeftp_tls_handshakes_total{channel="data",listener="public",result="ok",resumed="true",version="1.2"} 1`,
		`edgeftp_tls_handshakes_total{channel="data",listener="public",result="ok",resumed="false",version="1.3"} 1`,
		`edgeftp_tls_handshake_duration_seconds_sum{channel="control"} 1`,
		`edgeftp_tls_handshakes_total{channel="data",listener="public",result="failed",resumed="false",version="none"} 1`,
		`edgeftp_denials_total{op="write",policy="guard"} 1`,
		`edgeftp_denials_total{op="none",policy=""} 1`,
		`edgeftp_policy_failures_total{policy="guard"} 1`,
		`edgeftp_policy_swaps_total{policy="guard",result="rolled_back"} 1`,
		`edgeftp_certificates_total{result="renewed"} 1`,
		`edgeftp_config_reloads_total{result="rejected"} 1`,
		`edgeftp_config_last_reload_successful 0`,
		`edgeftp_quota_exceeded_total 1`,
		`edgeftp_bans_total 1`,
		`edgeftp_file_changes_total{kind="file_deleted"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	for _, never := range []string{"anna", "secret", "XYZZY"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is shown", never)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// Names, units and helps are as Prometheus's own linter wants them.
func TestLint(t *testing.T) {
	p, err := metrics.New(metrics.Config{Process: true})
	if err != nil {
		t.Fatal(err)
	}
	everything(t, p)
	text := show(t, p)
	if !strings.Contains(text, "go_goroutines ") {
		t.Error("the runtime shows nothing")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok && !strings.HasPrefix(name, "edgeftp_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("a name of nobody's: %s", name)
		}
	}
}

// However many values there are, what is shown stays bounded.
func TestBounded(t *testing.T) {
	p := newPolicy(t)
	for i := range 5000 {
		name := strconv.Itoa(i) + "\xff"
		s := &policy.Session{ID: uint64(i + 1), Listener: name}
		for _, e := range []policy.Event{{Kind: policy.EventLogin}, {Kind: policy.EventCommandDone, Text: name, Code: 200},
			{Kind: policy.EventDenied, Policy: name, Op: policy.Op(i)}, {Kind: policy.EventPolicyFailed, Policy: strings.Repeat(name, 100)}} {
			e.Meta = policy.Meta{Session: s, Time: noon}
			if err := p.Observe(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := show(t, p)
	for _, name := range []string{"logins_total", "commands_total", "policy_failures_total"} {
		if n := strings.Count(text, "\nedgeftp_"+name+"{"); n == 0 || n > metrics.MaxValues+1 {
			t.Errorf("%s has %d series", name, n)
		}
	}
	if !strings.Contains(text, `edgeftp_logins_total{listener="other",result="ok",source="none"} 4900`) {
		t.Error("what is not told apart is not counted")
	}
}

func TestSource(t *testing.T) {
	p := newPolicy(t)
	good := []metrics.Sample{
		{Name: "edgeftp_policy_instances", Help: "Instances.", Labels: []metrics.Label{{Name: "policy", Value: "guard\xff"}}, Value: 3},
		{Name: "edgeftp_policy_calls_total", Help: "Calls.", Kind: metrics.Counter, Value: 1e6},
		{Name: "edgeftp_policy_call_duration_seconds", Help: "Took.", Kind: metrics.Histogram, Count: 5, Sum: 2.5,
			Buckets: []metrics.Bucket{{UpTo: .1, Count: 1}, {UpTo: 1, Count: 9}}},
	}
	if err := p.Add(metrics.SourceFunc(func(tell func(metrics.Sample)) {
		for _, s := range good {
			tell(s)
		}
	})); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`edgeftp_policy_instances{policy="guard?"} 3`,
		`edgeftp_policy_calls_total 1e+06`,
		`edgeftp_policy_call_duration_seconds_bucket{le="0.1"} 1`,
		`edgeftp_policy_call_duration_seconds_bucket{le="1"} 5`,
		`edgeftp_policy_call_duration_seconds_count 5`,
	}
	check := func() {
		t.Helper()
		text := show(t, p)
		for _, w := range want {
			if !strings.Contains(text, w+"\n") {
				t.Errorf("there is no %s in\n%s", w, text)
			}
		}
	}
	check()
	label := func(name string) []metrics.Label { return []metrics.Label{{Name: name, Value: "x"}} }
	for i, bad := range []metrics.Sample{
		{Name: "policy_instances", Help: "x"},
		{Name: "edgeftp_x", Help: ""},
		{Name: "edgeftp_x_total", Help: "x"},
		{Name: "edgeftp_x", Help: "x", Kind: metrics.Counter},
		{Name: "edgeftp_ x", Help: "x", Labels: label("a-b\xff")},
		{Name: "edgeftp_x", Help: "x", Labels: append(label("a"), label("a")...)},
		{Name: "edgeftp_x", Help: "x", Kind: metrics.Histogram, Count: 9, Buckets: []metrics.Bucket{{UpTo: 2, Count: 1}, {UpTo: 1, Count: 2}}},
		{Name: "edgeftp_x", Help: "x", Kind: metrics.Histogram, Count: 9, Buckets: []metrics.Bucket{{UpTo: 1, Count: 2}, {UpTo: 2, Count: 1}}},
		{Name: "edgeftp_policy_instances", Help: "Another help.", Value: 77777},
		{Name: "edgeftp_sessions", Help: "Sessions that are open.", Kind: metrics.Histogram},
	} {
		if err := p.Add(metrics.SourceFunc(func(tell func(metrics.Sample)) { tell(bad) })); err != nil {
			t.Errorf("bad %d: %v", i, err)
		}
		check()
		if text := show(t, p); strings.Contains(text, "77777") || strings.Contains(text, "edgeftp_x{") || strings.Contains(text, "\nedgeftp_x ") {
			t.Errorf("bad %d is shown:\n%s", i, text)
		}
	}
}

// A source that tells without end is cut off.
func TestEndlessSource(t *testing.T) {
	p := newPolicy(t)
	if err := p.Add(metrics.SourceFunc(func(tell func(metrics.Sample)) {
		for i := range 3 * metrics.MaxSamples {
			tell(metrics.Sample{Name: "edgeftp_x", Help: "x", Labels: []metrics.Label{{Name: "n", Value: fmt.Sprint(i)}}})
		}
	})); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(show(t, p), "\nedgeftp_x{"); n != metrics.MaxSamples {
		t.Errorf("%d samples", n)
	}
}

func TestShadow(t *testing.T) {
	p := newPolicy(t)
	e := policy.Event{Meta: policy.Meta{Session: &policy.Session{ID: 1}, Shadow: true}, Kind: policy.EventLogin}
	if err := p.Observe(t.Context(), &e); err != nil || strings.Contains(show(t, p), "edgeftp_logins_total{") {
		t.Errorf("a trial is counted: %v", err)
	}
}

func TestConformance(t *testing.T) {
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy { return newPolicy(t) })
}

// What clients choose makes no series: after 10,000 users, paths, verbs and addresses
// there are as many as after one of each.
func TestHostileValues(t *testing.T) {
	p := newPolicy(t)
	hostile := func(n int) {
		for i := range n {
			name := fmt.Sprintf("evil-%d\n\xff\"{}", i)
			for _, e := range []policy.Event{
				{Kind: policy.EventConnect}, {Kind: policy.EventLoginFailed, Text: "no policy knows " + name}, {Kind: policy.EventLogin, Text: "staff", Took: time.Second},
				{Kind: policy.EventCommandDone, Text: name + " " + name, Path: name, Code: 500}, {Kind: policy.EventCommandDone, Text: "RETR " + name, Path: name, Code: 550},
				{Kind: policy.EventFileReceived, Path: name, Code: 226}, {Kind: policy.EventDenied, Path: name, Path2: name, Text: name, Op: policy.OpRead, Policy: "guard", Code: 550},
				{Kind: policy.EventTLSFailed, Text: "data connection: " + name}, {Kind: policy.EventTimeout, Text: name}, {Kind: policy.EventMaxCons, Text: name},
				{Kind: policy.EventBanAdded, Text: name}, {Kind: policy.EventDisconnect},
			} {
				e.Meta = policy.Meta{Session: &policy.Session{ID: uint64(i + 1), User: name, Host: name, Client: name, Group: name, Listener: "public"}, Time: noon}
				if err := p.Observe(t.Context(), &e); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	series := func() int { return strings.Count(show(t, p), "\nedgeftp_") }
	hostile(1)
	one := series()
	hostile(10000)
	if all := series(); one < 50 || all != one {
		t.Errorf("%d series after one of each, %d after 10,000", one, all)
	}
	if text := show(t, p); strings.Contains(text, "evil") {
		t.Error("what a client has chosen is shown")
	}
}

// A scraper that asks for it has native histograms.
func TestNativeHistograms(t *testing.T) {
	p := newPolicy(t)
	everything(t, p)
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	decoder := expfmt.NewDecoder(w.Body, expfmt.ResponseFormat(w.Header()))
	native := 0
	for {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		for _, m := range family.GetMetric() {
			if len(m.GetHistogram().GetPositiveSpan()) > 0 {
				native++
			}
		}
	}
	if native < 5 {
		t.Errorf("%d native histograms", native)
	}
}
