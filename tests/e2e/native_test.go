package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// The policies that are linked in and configured by the file: quotas, the log of
// transfers.
func TestNativePolicies(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	conf := plain() + fmt.Sprintf(`limits:
  logins: { attempts: 0, delay_after_failure: 0 }
telemetry:
  access_log: { file: %q }
users:
  defaults: { quota: { bytes: 10B } }
  list:
    - { name: dev, password_hash: @HASH@, perm: elradfmwMT }
    - { name: free, password_hash: @HASH@, perm: elradfmwMT, quota: {} }
`, p.out("xferlog"))
	s := p.serve(t, conf)
	c := s.login(t)
	c.put(t, "STOR a", strings.NewReader("12345678"))
	data := c.begin(t, "STOR b")
	_, err := io.WriteString(data, "12345")
	ok(t, err)
	ok(t, userpi.End(data))
	_, err = c.Expect("the upload", 552)
	ok(t, err)
	s.holds(t, "a")
	if text := string(must(os.ReadFile(p.out("xferlog")))(t)); text == "" {
		until(t, "the log has a line", func() bool { return len(must(os.ReadFile(p.out("xferlog")))(t)) > 0 })
	}
	if text := string(must(os.ReadFile(p.out("xferlog")))(t)); !strings.Contains(text, " 8 /a ") || !strings.Contains(text, " dev ") {
		t.Errorf("%q", text)
	}
	s.stop(t)
}

// The figures of the server, its policies and its modules, where the file says.
func TestFigures(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tally := p.declaring(t, "tally", ownModule(t, "tally"), `{"name":"tally","version":"1.2.3","capabilities":["kv"]}`)
	s := p.serve(t, plain()+fmt.Sprintf("telemetry: { metrics: { listen: \"127.0.0.1:0\", path: /m } }\npolicies: { modules: [{ name: tally, source: %q, grants: { kv: true } }] }\n", tally))
	line := s.expect(t, `"msg":"figures are shown"`)
	var r struct{ URL string }
	ok(t, jsonInto(line, &r))
	s.count(t)
	client := http.Client{Timeout: waitWithin}
	fetch := func() string {
		res := must(client.Get(r.URL))(t)
		defer func() { _ = res.Body.Close() }()
		return string(must(io.ReadAll(res.Body))(t))
	}
	text := ""
	until(t, "the login was counted", func() bool {
		text = fetch()
		return strings.Contains(text, `edgeftp_logins_total{listener="main",result="ok",source="users"} 1`)
	})
	for _, want := range []string{
		`edgeftp_policy_calls_total{decision="deny",generation="1",hook="fs",policy="tally"} 1`,
		`edgeftp_policy_info{digest="sha256:`, `version="1.2.3"`, `edgeftp_policy_fuel_total{generation="1",policy="tally"}`,
		`edgeftp_policy_errors_total{generation="1",kind="trap",policy="tally"} 0`, `edgeftp_policy_instances{generation="1",policy="tally",state="idle"}`,
		`edgeftp_kv_keys{space="policy/tally"} 1`, "edgeftp_build_info", "go_goroutines", "process_open_fds", "edgeftp_policy_call_duration_seconds_bucket",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	s.stop(t)
	if _, err := client.Get(r.URL); err == nil {
		t.Error("the figures are shown by a server that has ended")
	}
}
