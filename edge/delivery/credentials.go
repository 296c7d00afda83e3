package delivery

import (
	"net/http"
	"strings"
)

// credentials are what a request's session logs in with.
type credentials struct {
	host           string // what HOST is to be told; empty: nothing
	user, password string
	anonymous      bool
}

// credentials returns what the request logs in with, or why it cannot.
func (h *Handler) credentials(r *http.Request) (credentials, *problem) {
	c := credentials{host: hostOf(r.Host)}
	clear := r.TLS == nil
	given, found := field(r.Header, "Authorization")
	switch {
	case !found && h.conf.Anonymous != "" && !h.asksToLogin(r):
		c.user, c.password, c.anonymous = h.conf.Anonymous, "http@", true
		return c, nil
	case !h.conf.Basic:
		return c, say(http.StatusForbidden, "No users are let in here.")
	case clear && !h.conf.BasicInClear:
		return c, say(http.StatusForbidden, "A user and a password are taken over TLS alone: come by https. What was sent in the clear may have been read.")
	case !found:
		return c, &problem{status: http.StatusUnauthorized, text: "A user and a password are needed.", challenge: true}
	}
	var ok bool
	if c.user, c.password, ok = r.BasicAuth(); !ok || len(r.Header["Authorization"]) != 1 {
		return c, &problem{status: http.StatusUnauthorized, text: "The credentials are not of Basic authentication: " + scheme(given) + ".", challenge: true}
	}
	if unsayable(c.user) || unsayable(c.password) {
		return c, say(http.StatusBadRequest, "A user or a password with CR, LF or NUL cannot be.")
	}
	return c, nil
}

// scheme names the scheme of credentials, and nothing of them.
func scheme(given string) string {
	name, _, _ := strings.Cut(given, " ")
	if strings.EqualFold(name, "Basic") || name == "" || len(name) > 20 {
		return "they are malformed"
	}
	return "their scheme is " + name
}

// unsayable reports whether a text can be no argument of an FTP command.
func unsayable(s string) bool { return strings.ContainsAny(s, "\x00\r\n") }

// hostOf is the Host of a request as HOST takes it (RFC 7151 §3.1): without the port. Empty
// is for one that HOST could not be told.
func hostOf(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	if unsayable(host) {
		return ""
	}
	return host
}
