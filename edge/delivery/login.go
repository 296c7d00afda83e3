package delivery

import (
	"net/http"
	"strings"
)

// loginQuery is the name in a query by which a page asks that its reader may log in.
const loginQuery = "login"

// challenges reports whether credentials are taken from a request, so that it may be asked
// for them.
func (h *Handler) challenges(r *http.Request) bool {
	return h.conf.Basic && (r.TLS != nil || h.conf.BasicInClear)
}

// asksToLogin reports whether a request is there to log in by.
func (h *Handler) asksToLogin(r *http.Request) bool {
	return h.challenges(r) && r.URL.Query().Has(loginQuery)
}

// challenge asks a visitor without a name who he is where that might help (RFC 9110
// §15.5.2). What a policy has refused is refused, and what he sees nothing of is not there.
func (x *exchange) challenge(no *problem) {
	if no.login && x.who.anonymous && x.h.challenges(x.r) {
		no.status, no.challenge = http.StatusUnauthorized, true
	}
}

// way is where a visitor may go on to from a page.
func (x *exchange) way() link {
	switch {
	case x.h.asksToLogin(x.r) && x.h.conf.Anonymous != "":
		return link{x.place(), "Go on without logging in"}
	case x.who.anonymous && x.h.challenges(x.r):
		return link{"?" + loginQuery, "Log in"}
	}
	return link{}
}

// place is where the request leads, but for logging in. It is relative, so that no path can
// make it another host's.
func (x *exchange) place() string {
	p, query := x.r.URL.Path, x.r.URL.Query()
	to := "./" + escaped(p[strings.LastIndexByte(p, '/')+1:])
	if query.Del(loginQuery); len(query) > 0 {
		to += "?" + query.Encode()
	}
	return to
}
