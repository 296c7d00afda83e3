package control

import (
	"context"
	"net/http"
)

// Logs are the files that the server appends to. A [Controller] may have some.
type Logs interface {
	// LogFiles tells of each (GET /v1/logs).
	LogFiles() []LogFile
	// ReopenLogs opens each again under its name, after it was moved away
	// (POST /v1/logs/reopen).
	ReopenLogs() []LogFile
}

// LogFile is one of the server's logs.
type LogFile struct {
	Name  string `json:"name"`            // "server", "events", "access" or "audit"
	File  string `json:"file"`            // empty for standard error
	Lost  uint64 `json:"lost"`            // lines that found no room, since the server began
	Error string `json:"error,omitempty"` // why it could not be opened again; it is written to where it is
}

func logRoutes(mux *router, l Logs) {
	mux.HandleFunc("GET /v1/logs", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, whole(l.LogFiles()))
	})
	mux.HandleFunc("POST /v1/logs/reopen", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, whole(l.ReopenLogs()))
	})
}

// Logs asks for GET /v1/logs.
func (c Client) Logs(ctx context.Context) ([]LogFile, error) {
	var list []LogFile
	err := c.do(ctx, http.MethodGet, "/v1/logs", nil, &list)
	return list, err
}

// ReopenLogs asks for POST /v1/logs/reopen.
func (c Client) ReopenLogs(ctx context.Context) ([]LogFile, error) {
	var list []LogFile
	err := c.do(ctx, http.MethodPost, "/v1/logs/reopen", nil, &list)
	return list, err
}
