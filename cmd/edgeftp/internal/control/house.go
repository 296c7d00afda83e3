package control

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the description of the API (OpenAPI 3.1) of this version.
func OpenAPI() []byte { return openAPI }

// houseRoutes adds the paths of the API itself.
func houseRoutes(mux *router, a *Access) {
	mux.HandleFunc("GET /v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openAPI) // nobody is left to tell if the caller has gone
	})
	if a.Events != nil {
		eventsRoute(mux, a.Events)
	}
	if a.Levels != nil {
		levelRoutes(mux, a.Levels)
	}
	if a.Drainer != nil {
		drainRoutes(mux, a.Drainer)
	}
	if a.Backups != nil {
		backupRoute(mux, a.Backups)
	}
	if a.Upgrade != nil {
		upgradeRoute(mux, a.Upgrade)
	}
	if a.Debug {
		debugRoutes(mux)
	}
	mux.HandleFunc("GET /v1/audit", func(w http.ResponseWriter, r *http.Request) { auditRoute(w, r, a.Audit) })
}

// maxRecords is how many records of the audit log one answer has at most.
const maxRecords = 10000

// auditRoute answers with the newest records.
func auditRoute(w http.ResponseWriter, r *http.Request, log *audit.Log) {
	if log == nil {
		refuse(w, http.StatusNotFound, &Refusal{Code: CodeAudit, Message: "the server keeps no audit log"})
		return
	}
	since, limit := time.Time{}, 1000
	var err error
	if s := r.URL.Query().Get("since"); s != "" {
		since, err = time.Parse(time.RFC3339Nano, s)
	}
	if s := r.URL.Query().Get("limit"); s != "" && err == nil {
		limit, err = strconv.Atoi(s)
	}
	if err != nil || limit < 1 || limit > maxRecords {
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeAudit, Message: fmt.Sprintf("since is a time such as 2027-01-31T18:00:00Z, and limit is 1 to %d", maxRecords)})
		return
	}
	files, err := audit.Files(log.Path())
	list := []audit.Record{}
	if err == nil {
		err = audit.Select(files, func(rec audit.Record) bool {
			if !rec.Time.Before(since) {
				list = append(list[max(0, len(list)-limit+1):], rec)
			}
			return r.Context().Err() == nil
		})
	}
	conclude(w, list, err)
}

// Audit asks for GET /v1/audit: at most limit records that are no older than since.
func (c Client) Audit(ctx context.Context, since time.Time, limit int) ([]audit.Record, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if !since.IsZero() {
		q.Set("since", since.Format(time.RFC3339Nano))
	}
	var list []audit.Record
	err := c.do(ctx, http.MethodGet, "/v1/audit?"+q.Encode(), nil, &list)
	return list, err
}
