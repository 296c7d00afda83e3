package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Drainer lets a server run empty.
type Drainer interface {
	// Drain lets no new session begin, and stops the server when the last one has ended or
	// the limit is over (POST /v1/drain). A second call sets another limit.
	Drain(limit time.Duration) (DrainState, error)
	// CancelDrain lets sessions begin again (DELETE /v1/drain). That is refused when the
	// server is stopping already.
	CancelDrain() (DrainState, error)
}

// Drain is how long a server may take to run empty.
type Drain struct {
	Limit time.Duration `json:"limit"` // nanoseconds; 0 is instance.drain_timeout
}

// DrainState tells how it stands.
type DrainState struct {
	Draining  bool      `json:"draining"`
	Until     time.Time `json:"until,omitzero"` // when it stops at the latest
	Sessions  int       `json:"sessions"`       // that are open
	Transfers int       `json:"transfers"`      // that run
}

func drainRoutes(mux *router, d Drainer) {
	mux.HandleFunc("POST /v1/drain", func(w http.ResponseWriter, r *http.Request) {
		var limit Drain
		if r.ContentLength != 0 && !readSmall(w, r, &limit, CodeDrain, "it may have limit, in nanoseconds") {
			return
		}
		if limit.Limit < 0 {
			refuse(w, http.StatusBadRequest, &Refusal{Code: CodeDrain, Message: "the limit is negative"})
			return
		}
		About(r, "limit "+limit.Limit.String())
		now, err := d.Drain(limit.Limit)
		conclude(w, now, err)
	})
	mux.HandleFunc("DELETE /v1/drain", func(w http.ResponseWriter, _ *http.Request) {
		now, err := d.CancelDrain()
		conclude(w, now, err)
	})
}

// Drain has the server run empty and stop.
func (c Client) Drain(ctx context.Context, limit time.Duration) (DrainState, error) {
	var now DrainState
	body, err := json.Marshal(Drain{limit})
	if err == nil {
		err = c.do(ctx, http.MethodPost, "/v1/drain", body, &now)
	}
	return now, err
}

// CancelDrain has the server go on.
func (c Client) CancelDrain(ctx context.Context) (DrainState, error) {
	var now DrainState
	err := c.do(ctx, http.MethodDelete, "/v1/drain", nil, &now)
	return now, err
}
