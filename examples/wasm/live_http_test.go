package wasm

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// office is an HTTP server that policies ask and report to.
type office struct {
	*httptest.Server
	mu     sync.Mutex
	status int               // of every answer, if it is not 0
	users  map[string]string // records by name
	asked  []string          // paths
	told   []string          // bodies
	more   chan struct{}     // closed when told grows
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{users: map[string]string{}, more: make(chan struct{})}
	o.Server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	return o
}

func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, r.Method+" "+r.URL.Path)
	record, known := o.users[strings.TrimPrefix(r.URL.Path, "/users/")]
	switch {
	case err != nil || r.Header.Get("Authorization") != "Bearer a token":
		w.WriteHeader(http.StatusForbidden)
	case o.status != 0:
		w.WriteHeader(o.status)
	case r.Method == http.MethodPost:
		o.told = append(o.told, string(body))
		close(o.more)
		o.more = make(chan struct{})
	case known:
		_, _ = io.WriteString(w, record)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// answer sets the status of every answer, 0 for what fits the question.
func (o *office) answer(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status = status
}

func (o *office) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.asked...)
}

// reports waits until so many were told.
func (o *office) reports(t *testing.T, n int) []string {
	t.Helper()
	for {
		o.mu.Lock()
		told, more := append([]string(nil), o.told...), o.more
		o.mu.Unlock()
		if len(told) >= n {
			return told
		}
		select {
		case <-more:
		case <-t.Context().Done():
			t.Fatalf("%d reports, want %d", len(told), n)
		case <-late(t):
			t.Fatalf("%d reports after a minute, want %d", len(told), n)
		}
	}
}
