package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// moduleType is the media type of a module.
const moduleType = "application/wasm"

// handler answers the paths that [Controller], [Policies] and, where they are there,
// [Accountant], [Recorder], [Certifier], [Defender] and [Confined] name, and GET /v1/healthz with an
// empty object. Every body is JSON, also of errors: {"error": Refusal}.
func handler(c Controller) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, struct{}{})
	})
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		st := c.Status()
		st.Listeners, st.Policies = whole(st.Listeners), whole(st.Policies)
		if certs, ok := c.(Certifier); ok {
			st.Certificates = summarize(certs.Certificates(), time.Now())
		}
		answer(w, http.StatusOK, st)
	})
	mux.HandleFunc("GET /v1/policies", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, whole(c.Status().Policies))
	})
	if a, ok := c.(Accountant); ok {
		userRoutes(mux, a.Accounts())
	}
	policyRoutes(mux, c.Policies())
	if rec, ok := c.Policies().(Recorder); ok {
		recordRoute(mux, rec)
	}
	if certs, ok := c.(Certifier); ok {
		certificateRoutes(mux, certs)
	}
	if d, ok := c.(Defender); ok {
		banRoutes(mux, d)
	}
	if conf, ok := c.(Configurer); ok {
		configRoutes(mux, conf)
	}
	if own, ok := c.(Confined); ok {
		mux.HandleFunc("GET /v1/sandbox", func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, own.Confinement())
		})
	}
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
	if alarm, ok := c.(Alarm); ok {
		return Recovering(mux, alarm.Panicked)
	}
	return mux
}

// Alarm is told of panics of the handlers, beside [Controller]: in the function that has
// recovered them.
type Alarm interface{ Panicked(p any) }

// Recovering has a panic of a handler answered with 500, and told.
func Recovering(h http.Handler, panicked func(p any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p == http.ErrAbortHandler {
				panic(p) // which is no mistake
			} else if p != nil {
				panicked(p)
				refuse(w, http.StatusInternalServerError, &Refusal{Code: "EF1000", Message: "the server made a mistake, which is in its log"})
			}
		}()
		h.ServeHTTP(w, r)
	})
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
