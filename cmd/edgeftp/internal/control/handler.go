package control

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// moduleType is the media type of a module.
const moduleType = "application/wasm"

// handler answers the paths that [Controller], [Policies] and, where they are there,
// [Accountant], [Recorder], [Certifier], [Defender], [Sessions] and [Confined] name, and GET /v1/healthz with an
// empty object. Every body is JSON, also of errors: {"error": Refusal}.
//
// The router says which paths there are; who may use them is for a guard to say.
func routesOf(c Controller, a *Access) *router {
	mux := newRouter()
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
	if r, ok := c.(Readier); ok {
		readyRoute(mux, r)
	}
	if l, ok := c.(Logs); ok {
		logRoutes(mux, l)
	}
	if n, ok := c.(Notifier); ok {
		webhookRoutes(mux, n)
	}
	if d, ok := c.(Defender); ok {
		banRoutes(mux, d)
	}
	if s, ok := c.(Sessions); ok {
		sessionRoutes(mux, s)
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
		now := limits(c)
		w.Header().Set("ETag", etag(now))
		answer(w, http.StatusOK, now)
	})
	changing := new(sync.Mutex)
	mux.HandleFunc("PUT /v1/bandwidth", func(w http.ResponseWriter, r *http.Request) {
		if l, ok := readLimit(w, r); ok {
			changing.Lock()
			defer changing.Unlock()
			About(r, strings.TrimSpace(l.Scope+" "+l.Name)+l.rates())
			if unchanged(w, r, limits(c)) {
				err := c.Limit(l)
				conclude(w, limits(c), err)
			}
		}
	})
	houseRoutes(mux, a)
	mux.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, &Refusal{Code: CodeNoRequest,
			Message: fmt.Sprintf("there is no %s %.100q", r.Method, r.URL.Path), Help: "the server may be of another version"})
	})
	return mux
}

// handler is what the owner of the socket gets.
func handler(c Controller) http.Handler {
	h, _ := guarded(c, new(Access), os.Geteuid(), nil)
	return h
}

// guarded answers those who may ask. Who somebody is says who, or the socket (nil). The
// error says that there is a path about which no row says anything.
func guarded(c Controller, a *Access, own int, who func(http.ResponseWriter, *http.Request) (caller, bool)) (http.Handler, error) {
	if who == nil {
		who = func(_ http.ResponseWriter, r *http.Request) (caller, bool) { return a.identify(r, own), true }
	}
	g := &guard{routes: routesOf(c, a), access: a, own: own, who: who}
	g.serve = g.routes.mux
	if n, ok := c.(Counter); ok {
		g.serve = counting(g.routes.mux, n)
	}
	if alarm, ok := c.(Alarm); ok {
		return Recovering(g, alarm.Panicked), g.routes.check()
	}
	return g, g.routes.check()
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
				refuse(w, http.StatusInternalServerError, &Refusal{Code: CodeFault, Message: "the server made a mistake, which is in its log"})
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
		refuse(w, http.StatusInternalServerError, &Refusal{Code: CodeFault, Message: err.Error()})
	}
}

// etag is the mark of what is there now, for the header If-Match of a change.
func etag(now any) string {
	text, err := json.Marshal(now)
	if err != nil {
		return `""`
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// unchanged reports whether what is there now is what the caller has seen, by If-Match, or
// answers that it is not. A caller that gives none does not mind.
func unchanged(w http.ResponseWriter, r *http.Request, now any) bool {
	seen := r.Header.Get("If-Match")
	if seen == "" || seen == "*" || seen == etag(now) {
		return true
	}
	refuse(w, http.StatusPreconditionFailed, &Refusal{Code: CodeMoved, Message: "somebody else has changed it meanwhile; nothing was changed", Help: "look at it again"})
	return false
}
