package control

import (
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"
)

// maxProfile is how long a profile may take.
const maxProfile = 2 * time.Minute

// debugRoutes adds the profiles of the process, which admin.debug asks for.
func debugRoutes(mux *router) {
	mux.HandleFunc("GET /v1/debug/pprof/{profile}", func(w http.ResponseWriter, r *http.Request) {
		if s := r.URL.Query().Get("seconds"); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || time.Duration(n)*time.Second > maxProfile {
				refuse(w, http.StatusBadRequest, &Refusal{Code: CodeProfile, Message: "seconds is 1 to " + strconv.Itoa(int(maxProfile.Seconds()))})
				return
			}
		}
		switch name := r.PathValue("profile"); name {
		case "profile":
			pprof.Profile(w, r)
		case "trace":
			pprof.Trace(w, r)
		case "allocs", "block", "goroutine", "heap", "mutex", "threadcreate":
			pprof.Handler(name).ServeHTTP(w, r)
		default: // cmdline and symbol too: nobody needs them
			refuse(w, http.StatusNotFound, &Refusal{Code: CodeProfile, Message: "there is no such profile"})
		}
	})
}
