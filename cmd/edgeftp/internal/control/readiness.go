package control

import (
	"context"
	"net/http"
)

// Readier says whether the server can serve. A [Controller] may be one.
type Readier interface {
	// Readiness looks at each component now (GET /v1/readyz: status 200, or 503 where it
	// is not ready).
	Readiness() Readiness
}

// Readiness is whether the server can serve whoever connects next.
type Readiness struct {
	Ready      bool        `json:"ready"` // no component has failed
	Components []Component `json:"components"`
}

// The states of a component.
const (
	ComponentOK       = "ok"
	ComponentDegraded = "degraded" // something is amiss, but clients are served
	ComponentFailed   = "failed"   // clients are not served as they should be
)

// Component is a part of the server that clients need.
type Component struct {
	Name   string `json:"name"`             // listeners, certificates, state, storage, policies, memory, kv, audit, webhooks or serving
	State  string `json:"state"`            // ok, degraded or failed
	Detail string `json:"detail,omitempty"` // in one line; for those who may see the admin API
}

// ReadinessOf is the readiness that components make together.
func ReadinessOf(components []Component) Readiness {
	r := Readiness{Ready: true, Components: whole(components)}
	for _, c := range components {
		r.Ready = r.Ready && c.State != ComponentFailed
	}
	return r
}

func readyRoute(mux *router, c Readier) {
	mux.HandleFunc("GET /v1/readyz", func(w http.ResponseWriter, _ *http.Request) {
		r := c.Readiness()
		status := http.StatusOK
		if !r.Ready {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, r)
	})
}

// Readiness asks for GET /v1/readyz.
func (c Client) Readiness(ctx context.Context) (Readiness, error) {
	var all Readiness
	err := c.send(ctx, request{method: http.MethodGet, path: "/v1/readyz", also: http.StatusServiceUnavailable}, &all)
	return all, err
}
