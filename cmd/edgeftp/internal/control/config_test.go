package control

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

// configured is a Configurer that writes down what it was asked.
type configured struct {
	asked string
	fails error
}

func (c *configured) RunningConfig() RunningConfig {
	return RunningConfig{Generation: 3, ETag: `"3-abc"`, Text: "version: 1"}
}

func (c *configured) CheckConfig(_ context.Context, ask ConfigAsk) (ConfigResult, error) {
	c.asked = "check " + ask.Match + " " + string(ask.Text)
	return ConfigResult{Generation: 3}, c.fails
}

func (c *configured) ApplyConfig(_ context.Context, ask ConfigAsk) (ConfigResult, error) {
	c.asked = "apply " + ask.Match + " " + string(ask.Text)
	if ask.Text == nil {
		c.asked += "nothing"
	}
	return ConfigResult{Generation: 4, Applied: true}, c.fails
}

func (c *configured) ConfigHistory() ([]ConfigEntry, error) { return nil, c.fails }

func (c *configured) RollbackConfig(_ context.Context, to uint64) (ConfigResult, error) {
	c.asked = "rollback " + strings.Repeat("I", int(to))
	return ConfigResult{}, c.fails
}

func TestConfigRoutes(t *testing.T) {
	for _, c := range []struct {
		method, path, body, match string
		fails                     error
		status                    int
		asked, answer             string
	}{
		{"GET", "/v1/config", "", "", nil, 200, "", `"etag":"\"3-abc\""`},
		{"POST", "/v1/config/validate", "a: 1", "", nil, 200, "check  a: 1", `"changes":[],"blocked":[],"notes":[]`},
		{"POST", "/v1/config/apply", "a: 1", `"3-abc"`, nil, 200, `apply "3-abc" a: 1`, `"applied":true`},
		{"POST", "/v1/config/apply", "", "", nil, 200, "apply  nothing", `"generation":4`},
		{"POST", "/v1/config/apply", "a", "x", &Refusal{Code: CodeConfigMoved, Message: "moved"}, 412, "apply x a", "moved"},
		{"POST", "/v1/config/apply", "a", "", &Refusal{Code: CodeConfigInvalid, Message: "broken"}, 409, "apply  a", "broken"},
		{"POST", "/v1/config/apply", "a", "", errors.New("disk"), 500, "apply  a", "disk"},
		{"POST", "/v1/config/apply", strings.Repeat("a", maxConfig+1), "", nil, 400, "", CodeConfigRequest},
		{"GET", "/v1/config/history", "", "", nil, 200, "", "[]"},
		{"POST", "/v1/config/rollback", "", "", nil, 200, "rollback ", "generation"},
		{"POST", "/v1/config/rollback?to=3", "", "", nil, 200, "rollback III", "generation"},
		{"POST", "/v1/config/rollback?to=-3", "", "", nil, 400, "", CodeConfigRequest},
		{"DELETE", "/v1/config", "", "", nil, 405, "", ""},
	} {
		own := &configured{fails: c.fails}
		mux := newRouter()
		configRoutes(mux, own)
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("If-Match", c.match)
		w := httptest.NewRecorder()
		mux.mux.ServeHTTP(w, r)
		if w.Code != c.status || own.asked != c.asked || !strings.Contains(w.Body.String(), c.answer) {
			t.Errorf("%s %s: %d %q, asked %q", c.method, c.path, w.Code, w.Body, own.asked)
		}
		if c.path == "/v1/config" && c.method == "GET" && w.Header().Get("ETag") != `"3-abc"` {
			t.Errorf("the header has the ETag %q", w.Header().Get("ETag"))
		}
	}
}
