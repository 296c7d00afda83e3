package control

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
)

// operated is a server with logs and components, whose requests are counted.
type operated struct {
	fake
	components []Component
	reopened   int
	answered   []string
}

func (o *operated) Readiness() Readiness { return ReadinessOf(o.components) }

func (o *operated) LogFiles() []LogFile {
	return []LogFile{{Name: "events", File: "/var/log/events", Lost: 3}}
}

func (o *operated) ReopenLogs() []LogFile {
	o.reopened++
	return nil
}

func (o *operated) Answered(route string, code int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answered = append(o.answered, route+" "+http.StatusText(code))
}

// ask sends one request and returns the status and the body.
func ask(t *testing.T, c Client, method, path string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", c.Path)
	}}}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://server"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// A server is ready while no component has failed; one that is worse than it should be
// still serves.
func TestReadiness(t *testing.T) {
	o := &operated{components: []Component{{Name: "kv", State: ComponentDegraded, Detail: "slow"}}}
	_, c := serve(t, o)
	if code, body := ask(t, c, http.MethodGet, "/v1/readyz"); code != 200 || body != `{"ready":true,"components":[{"name":"kv","state":"degraded","detail":"slow"}]}`+"\n" {
		t.Errorf("%d %s", code, body)
	}
	o.components = append(o.components, Component{Name: "state", State: ComponentFailed})
	if code, body := ask(t, c, http.MethodGet, "/v1/readyz"); code != 503 || body == "" {
		t.Errorf("%d %s", code, body)
	}
	o.components = nil
	if code, body := ask(t, c, http.MethodGet, "/v1/readyz"); code != 200 || body != `{"ready":true,"components":[]}`+"\n" {
		t.Errorf("%d %s", code, body)
	}
}

func TestLogs(t *testing.T) {
	o := &operated{}
	_, c := serve(t, o)
	if list, err := c.Logs(t.Context()); err != nil || !slices.Equal(list, o.LogFiles()) {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := c.ReopenLogs(t.Context()); err != nil || list == nil || len(list) != 0 || o.reopened != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// Requests are counted by their route, never by what a caller made up.
func TestRequestsAreCounted(t *testing.T) {
	o := &operated{}
	_, c := serve(t, o)
	ask(t, c, http.MethodGet, "/v1/status")
	ask(t, c, http.MethodGet, "/v1/made-up")
	ask(t, c, http.MethodDelete, "/v1/status")
	ask(t, c, http.MethodPost, "/v1/policies/evil-name/promote")
	want := []string{"GET /v1/status OK", "other Not Found", "other Not Found", "POST /v1/policies/{name}/promote"}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.answered) != 4 || !slices.Equal(o.answered[:3], want[:3]) || len(o.answered[3]) < len(want[3]) || o.answered[3][:len(want[3])] != want[3] {
		t.Errorf("%q", o.answered)
	}
}
