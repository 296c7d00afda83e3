package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// figuresOf returns how to fetch the figures of a server, and from where it shows them.
func (s *server) figuresOf(t *testing.T) (fetch func(path string) (int, string)) {
	t.Helper()
	var r struct{ URL string }
	ok(t, jsonInto(s.expect(t, `"msg":"figures are shown"`), &r))
	client := http.Client{Timeout: waitWithin}
	return func(path string) (int, string) {
		t.Helper()
		res := must(client.Get(strings.TrimSuffix(r.URL, "/metrics") + path))(t)
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode, string(must(io.ReadAll(res.Body))(t))
	}
}

// lively has a server do a little of everything.
func (s *server) lively(t *testing.T) *session {
	t.Helper()
	c := s.dial(t)
	ok(t, c.Protect(s.trust(t)))
	ok(t, c.Identify("dev", secret))
	c.want(t, "TYPE I", 200)
	c.put(t, "STOR a", strings.NewReader("content"))
	c.get(t, "RETR a")
	c.get(t, "MLSD")
	c.want(t, "MKD d", 257)
	c.want(t, "NOPE", 500)
	c.want(t, "RETR missing", 550, 425)
	plain := s.login(t)
	plain.put(t, "STOR b", strings.NewReader("content"))
	other := s.dial(t)
	other.want(t, "USER dev", 331)
	other.want(t, "PASS wrong", 530)
	return c
}

// A scrape of a busy server is as Prometheus's linter wants it, tells of all that has
// happened, and has no more series when clients make up users, paths and verbs.
func TestFiguresOfABusyServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, `listeners:
  - { name: main, address: 127.0.0.1:0, tls: { control: optional, data: optional }, passive: { ports: 40000-49999 } }
limits: { logins: { delay_after_failure: 0 }, timeouts: { login: 0, idle: 0 } }
defender: { enabled: false }
telemetry: { metrics: { listen: "127.0.0.1:0" } }
`+fmt.Sprintf("events: { file: %q }\n", p.out("events.json")))
	fetch := s.figuresOf(t)
	c := s.lively(t)
	hostile := func(n int) {
		for i := range n {
			c.want(t, fmt.Sprintf("SIZE evil-%d", i), 550)
			c.want(t, fmt.Sprintf("CWD /evil/%d", i), 550)
			if i%8 == 0 && i < 400 {
				c.want(t, fmt.Sprintf("EVIL%d evil", i), 500)
				stranger := s.dial(t)
				stranger.want(t, fmt.Sprintf("USER evil-%d", i), 331)
				stranger.want(t, "PASS evil", 530)
				stranger.want(t, "QUIT", 221)
			}
		}
	}
	hostile(1)
	counted := func(want string) string {
		t.Helper()
		text := ""
		until(t, "the figures have "+want, func() bool {
			_, text = fetch("/metrics")
			return strings.Contains(text, want+"\n")
		})
		return text
	}
	before := counted(`edgeftp_session_duration_seconds_count{listener="main"} 1`) // which the last event makes
	hostile(2000)
	after := counted(`edgeftp_commands_total{command="SIZE",reply_class="5xx"} 2001`)
	series := regexp.MustCompile(`(?m)^edgeftp_[^ ]+`)
	if was, is := series.FindAllString(before, -1), series.FindAllString(after, -1); len(was) < 300 || len(was) != len(is) {
		t.Errorf("%d series became %d", len(was), len(is))
	}
	if strings.Contains(after, "evil") || strings.Contains(after, "EVIL") || strings.Contains(after, "127.0.0.1") {
		t.Error("what a client has chosen is a label")
	}
	for _, problem := range must(promlint.New(strings.NewReader(after)).Lint())(t) {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	for _, want := range []string{
		`edgeftp_commands_unknown_total{listener="main"} 52`,
		`edgeftp_sessions{listener="main",state="idle"} 2`, `edgeftp_passive_ports{listener="main"} 10000`,
		`edgeftp_data_connections_total{listener="main",mode="passive",result="ok"} 4`, `edgeftp_transfer_first_byte_seconds_count{direction="upload",listener="main"} 2`,
		`edgeftp_tls_handshakes_total{channel="control",listener="main",result="ok",resumed="false",version="1.3"} 1`,
		`edgeftp_tls_handshakes_total{channel="data",listener="main",result="ok",resumed="true",version="1.3"} 3`,
		`edgeftp_tls_handshake_duration_seconds_count{channel="data"} 3`, `edgeftp_logins_total{listener="main",result="ok",source="users"} 2`,
		`edgeftp_component_ready{component="state"} 1`, `edgeftp_config_generation 1`, `edgeftp_config_last_reload_successful 1`, `edgeftp_log_lines_lost_total{log="events"} 0`,
	} {
		if !strings.Contains(after, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(after)
	}
	s.probed(t, fetch)
	s.stop(t)
}

// probed asks for the probes, of a server that is well and of one whose state cannot be
// kept.
func (s *server) probed(t *testing.T, fetch func(string) (int, string)) {
	t.Helper()
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, text := fetch(path); code != 200 || text != "ok\n" {
			t.Errorf("%s: %d %q", path, code, text)
		}
	}
	if os.Geteuid() == 0 { // whom no mode keeps from writing
		return
	}
	ok(t, os.Chmod(s.state, 0o500))
	code, text := fetch("/readyz")
	ok(t, os.Chmod(s.state, 0o700))
	if code != 503 || text != "not ready\n" {
		t.Errorf("with a state that cannot be kept: %d %q", code, text)
	}
}
