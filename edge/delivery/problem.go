package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// problem is why a request is not answered with what it asks for.
type problem struct {
	status    int
	text      string        // a sentence for people; empty: the status says it all
	ref       string        // of a refusal, as FTP tells it
	challenge bool          // credentials are asked for
	login     bool          // those of another user might be let in to it
	limit     string        // that has refused the request, for programs; empty: none
	after     time.Duration // which has to pass before it makes sense to ask again; 0: unknown
}

// say makes a problem.
func say(status int, text string) *problem { return &problem{status: status, text: text} }

// ofReply is the problem that a command's negative reply stands for. Which file there is
// and which there is not is told in the same words whatever the reason, as over FTP.
func ofReply(r wire.Reply) *problem {
	text := strings.TrimSpace(strings.Join(r.Lines, " "))
	ref := ""
	if i := strings.LastIndex(text, " (ref "); i >= 0 && strings.HasSuffix(text, ")") {
		text, ref = text[:i], strings.TrimSuffix(text[i+len(" (ref "):], ")")
	}
	if no := limited(r.Cause); no != nil {
		no.ref = ref
		return no
	}
	status := statusOf(r, ref != "")
	switch status {
	case http.StatusNotFound:
		return say(status, "There is no such file or directory here.")
	case http.StatusRequestURITooLong:
		return say(status, "That name is too long.")
	}
	no := &problem{status: status, text: text, ref: ref, login: errors.Is(r.Cause, pi.ErrNoPermission) || errors.Is(r.Cause, fs.ErrPermission)}
	if status == http.StatusServiceUnavailable {
		no.after = soon
	}
	return no
}

// statusOf is the status for a negative reply; decided says that it bears the reference of
// a policy's decision.
func statusOf(r wire.Reply, decided bool) int {
	if r.Code == wire.CodeLocalError {
		return http.StatusInternalServerError
	}
	if decided {
		return http.StatusForbidden
	}
	for _, c := range []struct {
		is     error
		status int
	}{
		{vfs.ErrNameTooLong, http.StatusRequestURITooLong},
		{vfs.ErrBadName, http.StatusBadRequest},
		{vfs.ErrUnavailable, http.StatusServiceUnavailable},
		{vfs.ErrBusy, http.StatusServiceUnavailable},
		{vfs.ErrEscapes, http.StatusForbidden},
		{vfs.ErrSpecial, http.StatusForbidden},
		{fs.ErrPermission, http.StatusForbidden},
		{fs.ErrNotExist, http.StatusNotFound},
		{vfs.ErrNotDirectory, http.StatusNotFound},
		{vfs.ErrIsDirectory, http.StatusNotFound},
		{fs.ErrInvalid, http.StatusNotFound},
	} {
		if errors.Is(r.Cause, c.is) {
			return c.status
		}
	}
	switch {
	case r.Code == wire.CodeNotLoggedIn:
		return http.StatusUnauthorized
	case r.Code < 500:
		return http.StatusServiceUnavailable
	case r.Code < 510:
		return http.StatusBadRequest
	}
	return http.StatusForbidden
}

// write answers with the problem, in the form that the request likes best.
func (p *problem) write(x *exchange) {
	h := x.w.Header()
	vary(h, "Accept")
	if p.challenge {
		h.Set("WWW-Authenticate", fmt.Sprintf(`Basic realm=%q, charset="UTF-8"`, x.h.conf.Realm))
	}
	if p.after > 0 {
		h.Set("Retry-After", strconv.FormatInt(p.seconds(), 10))
	}
	h.Set("Cache-Control", "no-store")
	title := strconv.Itoa(p.status) + " " + http.StatusText(p.status)
	var body bytes.Buffer
	switch kind := x.form("text/plain", "text/html", "application/json"); kind {
	case "application/json":
		h.Set("Content-Type", kind)
		b, err := json.Marshal(struct {
			Status int    `json:"status"`
			Error  string `json:"error"`
			Ref    string `json:"ref,omitempty"`
			Limit  string `json:"limit,omitempty"`
			After  int64  `json:"retry_after,omitempty"` // in seconds
		}{p.status, p.line(), p.ref, p.limit, p.seconds()})
		x.lost(err)
		body.Write(append(b, '\n'))
	case "text/html":
		h.Set("Content-Type", kind+"; charset=utf-8")
		h.Set("Content-Security-Policy", x.h.pages.policy)
		x.lost(x.h.pages.problem(&body, title, p.advice(), p.ref, p.way(x)))
	default:
		h.Set("Content-Type", kind+"; charset=utf-8")
		body.WriteString(title + ": " + p.advice())
		if p.ref != "" {
			body.WriteString(" (ref " + p.ref + ")")
		}
		body.WriteByte('\n')
	}
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	x.begin(p.status)
	_, err := x.w.Write(body.Bytes())
	x.lost(err)
}

// way is where a visitor may go on to from the page of the problem.
func (p *problem) way(x *exchange) link {
	switch p.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return x.way()
	}
	return link{}
}

// line is what is said of it.
func (p *problem) line() string {
	if p.text == "" {
		return http.StatusText(p.status)
	}
	return shown(p.text)
}

// advice is line and when to ask again.
func (p *problem) advice() string {
	switch {
	case p.after >= 2*time.Minute:
		return p.line() + " Try again in " + strconv.Itoa(int(p.after/time.Minute)) + " minutes."
	case p.after > 0:
		return p.line() + " Try again in " + strconv.FormatInt(p.seconds(), 10) + " seconds."
	}
	return p.line()
}

// seconds is after as Retry-After has it (RFC 9110 §10.2.3).
func (p *problem) seconds() int64 { return int64(p.after / time.Second) }

// vary adds a field to those that an answer depends on.
func vary(h http.Header, name string) {
	if h.Get("Vary") != "" {
		name = h.Get("Vary") + ", " + name
	}
	h.Set("Vary", name)
}
