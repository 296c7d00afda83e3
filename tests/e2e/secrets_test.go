package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What people send as passwords, or in the place of others, is in no log, whatever its
// level. The names that logins failed with are told to observers, whose files have them;
// the server's own log has them only of users that there are.
func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	access, events := p.out("access.log"), p.out("events.json")
	text := plain() + fmt.Sprintf("telemetry: { log: { level: debug, commands: all }, metrics: { listen: \"127.0.0.1:0\" }, access_log: { file: %q, format: json, commands: true } }\nevents: { file: %q }\nlimits: { logins: { delay_after_failure: 0, attempts: 50 }, sessions: { per_ip: 200 } }\n", access, events)
	s := p.serve(t, text)
	for _, lines := range [][]string{
		{"USER dev", "PASS " + secret, "NOOP"},
		{"USER dev", "PASS Wrong-otter-01"},
		{"user dev", "pass lower-otter-02"},
		{"USER dev", "PASS  spaces otter-03 in it "},
		{"USER mistake-otter-04", "PASS second-otter-05"},
		{"USER ftp://dev:otter-06@127.0.0.1/", "PASS otter-07"},
		{"PASS otter-08"},
		{"USER dev", "PASS otter-09\x00otter-10"},
		{"ACCT otter-11"},
		{"USER dev", "PASS " + secret, "SITE PSWD otter-12 otter-13", "SITE PASSWD otter-14", "ACCT otter-15", "PASS otter-16"},
		{"USER dev", "ACCT otter-17"},
		{"PASSotter-18"},
		{"USER dev", "PASS -otter-19"},
		{"USER dev", "PASS " + strings.Repeat("otter-20", 2000)},
		{"GET ftp://dev:otter-21@127.0.0.1/ HTTP/1.1"},
		{"USER dev\tPASS otter-22"},
		{"USER dev PASS otter-23"},
		{"USER dev", "pAsS\tOtter-24", "PASS  otter-25"},
		{" PASS otter-26", "\tpass otter-27", "PASS=otter-28", "PASSWORD otter-29"},
		{"USER dev", "PASS " + secret, "SITE pswd otter-30 otter-38", "site PSWD\totter-39", "REIN", "USER dev", "PASS otter-40", "SITE PSWD otter-41"},
	} {
		c, _ := s.raw(t)
		for _, line := range lines {
			if c.Send(line) != nil {
				break
			}
			if _, err := c.Reply(); err != nil {
				break
			}
		}
		_ = c.Close()
	}
	for _, request := range []string{
		"GET /v1/policies/otter-31 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer otter-32\r\n\r\n",
		"PUT /v1/bandwidth HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n\r\n{\"password\": \"otter-33\"}",
		"POST /v1/otter-34?password=otter-35 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"GET ftp://dev:otter-36@x/ HTTP/9.9\r\n\r\n",
		"PASS otter-37\r\n\r\n",
	} {
		conn := must(net.Dial("unix", filepath.Join(p.state, "admin.sock")))(t)
		ok(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
		_, err := conn.Write([]byte(request))
		ok(t, err)
		_, _ = conn.Read(make([]byte, 4096))
		ok(t, conn.Close())
	}
	var figures struct{ URL string }
	ok(t, jsonInto(s.expect(t, `"msg":"figures are shown"`), &figures))
	res := must(http.Get(figures.URL))(t)
	page := string(must(io.ReadAll(res.Body))(t))
	ok(t, res.Body.Close())
	s.stop(t)
	if log := s.log.String(); !strings.Contains(log, `"event":"command_done","command":"PASS","reply":230`) {
		t.Errorf("the log does not tell of the commands:\n%s", log)
	}
	if log := s.log.String(); !strings.Contains(log, "login failed") || !strings.Contains(log, `"user":"dev"`) {
		t.Errorf("the log does not tell of the logins:\n%s", log)
	}
	named := strings.NewReplacer("mistake-otter-04", "", "dev:otter-06", "", "PASS otter-22", "", "PASS otter-23", "", `\tPASS otter-22`, "")
	for what, said := range map[string]string{"log": s.log.String(), "page of figures": page, "access log": named.Replace(string(must(os.ReadFile(access))(t))), "event log": named.Replace(string(must(os.ReadFile(events))(t)))} {
		for line := range strings.Lines(said) {
			if strings.Contains(strings.ToLower(line), "otter") || strings.Contains(line, secret) {
				t.Errorf("the %s has a secret: %.400s", what, line)
			}
		}
	}
}
