package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// moduleType is the media type of a module.
const moduleType = "application/wasm"

// handler answers the paths that [Controller] names, and GET /v1/healthz with an
// empty object. Every body is JSON, also of errors: {"error": Refusal}.
func handler(c Controller) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, struct{}{})
	})
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		st := c.Status()
		st.Listeners, st.Policies = whole(st.Listeners), whole(st.Policies)
		answer(w, http.StatusOK, st)
	})
	mux.HandleFunc("GET /v1/policies", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, whole(c.Status().Policies))
	})
	mux.HandleFunc("POST /v1/policies/{name}/swap", func(w http.ResponseWriter, r *http.Request) {
		module, ok := readModule(w, r)
		if !ok {
			return
		}
		p, err := c.Swap(r.Context(), r.PathValue("name"), module)
		conclude(w, p, err)
	})
	mux.HandleFunc("POST /v1/policies/{name}/rollback", func(w http.ResponseWriter, r *http.Request) {
		p, err := c.Rollback(r.Context(), r.PathValue("name"))
		conclude(w, p, err)
	})
	mux.HandleFunc("GET /v1/bandwidth", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, limits(c))
	})
	mux.HandleFunc("PUT /v1/bandwidth", func(w http.ResponseWriter, r *http.Request) {
		if l, ok := readLimit(w, r); ok {
			err := c.Limit(l)
			conclude(w, limits(c), err)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, &Refusal{Code: "EF2102",
			Message: fmt.Sprintf("there is no %s %.100q", r.Method, r.URL.Path), Help: "the server may be of another version"})
	})
	return mux
}

func limits(c Controller) Bandwidth {
	b := c.Bandwidth()
	b.Listeners, b.Users = whole(b.Listeners), whole(b.Users)
	return b
}

// whole is list, never nil: JSON then has [] and not null.
func whole[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// readModule returns the module that a request carries, or answers why not.
func readModule(w http.ResponseWriter, r *http.Request) (module []byte, ok bool) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != moduleType {
		refuse(w, http.StatusUnsupportedMediaType, &Refusal{Code: "EF2101",
			Message: fmt.Sprintf("the body is %.100q, not %s", r.Header.Get("Content-Type"), moduleType)})
		return nil, false
	}
	module, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxModule))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, &Refusal{Code: "EF2100",
			Message: fmt.Sprintf("the module is larger than %d MiB", maxModule>>20), Help: "build it without debugging information"})
	case err != nil:
		refuse(w, http.StatusBadRequest, &Refusal{Code: "EF2103", Message: "the module was not sent whole"})
	case len(module) == 0:
		refuse(w, http.StatusBadRequest, &Refusal{Code: "EF2104", Message: "the module is empty"})
	default:
		// The time for reading is over; compiling may take longer, and a read
		// that timed out meanwhile would look as if the caller had gone.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		return module, true
	}
	return nil, false
}

// conclude answers a change: what is there now, or why nothing has changed.
func conclude(w http.ResponseWriter, now any, err error) {
	var r *Refusal
	switch {
	case err == nil:
		answer(w, http.StatusOK, now)
	case errors.As(err, &r):
		refuse(w, http.StatusConflict, r)
	default:
		refuse(w, http.StatusInternalServerError, &Refusal{Code: "EF1000", Message: err.Error()})
	}
}

// refuse answers {"error": {code, message, help}}.
func refuse(w http.ResponseWriter, status int, r *Refusal) {
	answer(w, status, map[string]any{"error": r})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // nobody is left to tell if the caller has gone
}
