package control

import (
	"context"
	"net/http"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
)

// Component is a part of the server, and how it stands.
type Component struct {
	Name   string `json:"name"`
	State  string `json:"state"`            // ok, or in a word what it is; only ok is ready
	Detail string `json:"detail,omitempty"` // for people
}

// Readiness is the answer to GET /v1/readyz. Its status is 503 when the server is not ready.
type Readiness struct {
	Ready      bool        `json:"ready"`
	Components []Component `json:"components"`
}

// readiness asks the parts, and the audit log.
func readiness(parts func() []Component, log *audit.Log) Readiness {
	all := Readiness{Ready: true, Components: []Component{}}
	if parts != nil {
		all.Components = append(all.Components, parts()...)
	}
	if log != nil {
		c := Component{Name: "audit", State: "ok"}
		if err := log.Ready(); err != nil {
			c.State, c.Detail = "failing", err.Error()
		}
		all.Components = append(all.Components, c)
	}
	for _, c := range all.Components {
		all.Ready = all.Ready && c.State == "ok"
	}
	return all
}

func readyRoute(mux *router, parts func() []Component, log *audit.Log) {
	mux.HandleFunc("GET /v1/readyz", func(w http.ResponseWriter, _ *http.Request) {
		all := readiness(parts, log)
		status := http.StatusOK
		if !all.Ready {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, all)
	})
}

// Readiness asks for GET /v1/readyz.
func (c Client) Readiness(ctx context.Context) (Readiness, error) {
	var all Readiness
	err := c.send(ctx, request{method: http.MethodGet, path: "/v1/readyz", also: http.StatusServiceUnavailable}, &all)
	return all, err
}
