package control

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Notifier tells receivers what happens. A [Controller] may be one.
type Notifier interface {
	// Webhooks tells how each of the configuration stands (GET /v1/webhooks).
	Webhooks() []Webhook
	// TryWebhooks sends a notify_test to the one of a name, or to all for an empty one, at
	// once and past those that wait (POST /v1/webhooks/test). It ends with ctx.
	TryWebhooks(ctx context.Context, name string) ([]WebhookTrial, error)
}

// Webhook is a receiver of events, without what is secret about it.
type Webhook struct {
	Name      string    `json:"name"`
	Origin    string    `json:"origin"` // scheme, host and port of its URL
	Signed    bool      `json:"signed"`
	On        []string  `json:"on"`        // events that it is sent
	Waiting   uint64    `json:"waiting"`   // events that it has not taken yet
	Delivered uint64    `json:"delivered"` // that it took, since it was configured so
	GivenUp   uint64    `json:"given_up"`  // that it refused for good, or that became too old
	Dropped   uint64    `json:"dropped"`   // for which there was no room, ever
	Failed    uint64    `json:"failed"`    // attempts that are repeated
	Success   time.Time `json:"last_success,omitzero"`
	Failure   time.Time `json:"last_failure,omitzero"`
	Error     string    `json:"last_error,omitempty"` // why; empty since a success
	Next      time.Time `json:"next_attempt,omitzero"`
}

// WebhookTrial is how an attempt went.
type WebhookTrial struct {
	Name    string  `json:"name"`
	Origin  string  `json:"origin"`
	ID      string  `json:"id"` // Idempotency-Key of the request
	Signed  bool    `json:"signed"`
	OK      bool    `json:"ok"`
	Status  int     `json:"status"` // of the answer, 0 without one
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`
	Help    string  `json:"help,omitempty"` // what to do about it
}

// MaxTrial is how long trying receivers takes at most.
const MaxTrial = 30 * time.Second

func webhookRoutes(mux *router, n Notifier) {
	mux.HandleFunc("GET /v1/webhooks", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, whole(n.Webhooks()))
	})
	mux.HandleFunc("POST /v1/webhooks/test", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * MaxTrial))
		ctx, cancel := context.WithTimeout(r.Context(), MaxTrial)
		defer cancel()
		list, err := n.TryWebhooks(ctx, r.URL.Query().Get("name"))
		conclude(w, whole(list), err)
	})
}

// Webhooks asks for GET /v1/webhooks.
func (c Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	var list []Webhook
	err := c.do(ctx, http.MethodGet, "/v1/webhooks", nil, &list)
	return list, err
}

// TryWebhooks asks for POST /v1/webhooks/test. It takes up to [MaxTrial].
func (c Client) TryWebhooks(ctx context.Context, name string) ([]WebhookTrial, error) {
	path := "/v1/webhooks/test"
	if name != "" {
		path += "?" + url.Values{"name": {name}}.Encode()
	}
	var list []WebhookTrial
	err := c.do(ctx, http.MethodPost, path, nil, &list)
	return list, err
}
