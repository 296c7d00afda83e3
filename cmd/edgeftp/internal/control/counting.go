package control

import "net/http"

// Counter is told of each request that was answered, beside [Controller]: its route, as
// the API names it, and the status.
type Counter interface{ Answered(route string, code int) }

// counting tells a Counter of what a mux answers. No route is what a caller has made up:
// what is not there is "other".
func counting(mux *http.ServeMux, c Counter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		noted := &noting{ResponseWriter: w, code: http.StatusOK}
		defer func() {
			route := r.Pattern
			if route == "/" || route == "" {
				route = "other"
			}
			if p := recover(); p != nil {
				c.Answered(route, http.StatusInternalServerError)
				panic(p)
			}
			c.Answered(route, noted.code)
		}()
		mux.ServeHTTP(noted, r)
	})
}

// noting notes the status of an answer.
type noting struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter.
func (n *noting) WriteHeader(code int) {
	n.code = code
	n.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach what is below, as streams need it.
func (n *noting) Unwrap() http.ResponseWriter { return n.ResponseWriter }
